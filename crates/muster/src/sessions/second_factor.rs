//! The second factor: a code of six digits that a person's device makes of a secret and the time (RFC 6238). It is asked for
//! at the door of the tenant in which it was set up.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_wire::{Fault, OperatorId, Role, TenantId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::{Db, Tx},
    problem::{Bug, Failure, Kind, Refusal},
    seal::{Keyring, Place},
    sessions::recovery,
};

/// The bytes of a secret: as many as SHA-1 gives, which is what devices know.
const SECRET_BYTES: usize = 20;

/// Wrong codes after which no more are looked at for [`REST_MINUTES`]: a thousandth of what guessing would need in a year.
const FAILURES_MAX: i32 = 10;

/// For how long codes are refused unseen.
const REST_MINUTES: i32 = 15;

/// How long a person who gave the right password may take to give the code.
const TICKET_SECS: i64 = 300;

/// What is shown to a person who sets it up. Nothing is kept of it until they give a code.
pub struct Offer {
    /// The secret, to be typed into a device.
    pub secret: SecretString,
    /// The same for a device that reads it from the screen.
    pub uri: SecretString,
}

/// A new secret for a person's device.
pub fn offer(tenant: &str, person: &str) -> Offer {
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes[..]);
    offer_of(&Secret::new_stack(bytes), tenant, person)
}

fn offer_of(secret: &Secret, tenant: &str, person: &str) -> Offer {
    let encode = |text: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        encoded.replace('+', "%20")
    };
    let (tenant, person, secret) = (encode(tenant), encode(person), secret.to_base32());
    Offer {
        uri: format!("otpauth://totp/Muster%20{tenant}:{person}?secret={secret}&issuer=Muster%20{tenant}")
            .into(),
        secret: secret.into(),
    }
}

/// The same secret again, for a page that is shown once more.
///
/// # Errors
/// That it is none.
pub fn offer_again(secret: &str, tenant: &str, person: &str) -> Result<Offer, Refusal> {
    Ok(offer_of(&read(secret)?, tenant, person))
}

fn read(secret: &str) -> Result<Secret, Refusal> {
    Secret::try_from_base32(secret)
        .ok()
        .filter(|secret| secret.as_bytes().len() == SECRET_BYTES)
        .ok_or_else(|| {
            let detail = "this is no secret of Muster: begin again";
            Refusal::invalid(vec![Fault::new("/secret", "secret", detail)])
        })
}

fn totp(secret: Secret) -> Result<Totp, Bug> {
    Builder::new()
        .with_secret(secret)
        .build()
        .map_err(|error| Bug::new(format!("a second factor: {error:?}")))
}

/// The period whose code this is, when it is one of now.
fn step(totp: &Totp, code: &str, now: i64) -> Option<i64> {
    let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
    let now = u64::try_from(now).ok()?;
    totp.check(&code, now).and_then(|step| i64::try_from(step).ok())
}

fn wrong_code() -> Refusal {
    let detail =
        "this is not the code that your device shows now; wait for the next one, and look at its clock";
    let fault = Fault::new("/code", "wrong_code", detail);
    Refusal {
        faults: vec![fault],
        ..Refusal::new(Kind::Unauthenticated, "wrong_code", detail)
    }
}

fn place(operator: OperatorId) -> Place {
    Place::new("second_factors", "secret_encrypted", operator)
}

/// Whether the person presents one in the actor's tenant.
///
/// # Errors
/// When the database fails.
pub async fn is_due(tx: &mut Tx, actor: &Actor, operator: OperatorId) -> Result<bool, Failure> {
    Ok(due(tx, actor, operator).await?.0)
}

async fn due(tx: &mut Tx, actor: &Actor, operator: OperatorId) -> Result<(bool, i64), Failure> {
    let row = sqlx::query_file!("src/sessions/second_factor_due.sql", actor.tenant.0, operator.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok((row.due, row.now))
}

/// Sets it up, once the person has shown by a code that their device has the secret. Gives their recovery codes, which are not shown
/// again.
///
/// # Errors
/// That the secret is none, the code is wrong, or there is one already; or that the database fails.
pub async fn set_up(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    operator: OperatorId,
    secret: &SecretString,
    code: &str,
) -> Result<Vec<SecretString>, Failure> {
    let read = read(secret.expose_secret())?;
    let (_, now) = due(tx, actor, operator).await?;
    let step = step(&totp(read)?, code, now).ok_or_else(wrong_code)?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let sealed = keys.seal(&place(operator), secret);
    let set = sqlx::query_file!(
        "src/sessions/set_second_factor.sql",
        actor.tenant.0,
        operator.0,
        sealed,
        step
    )
    .execute(&mut **tx)
    .await?;
    if set.rows_affected() == 0 {
        let detail = "you have a second factor already: take it away first";
        return Err(Refusal::conflict("already_exists", detail).into());
    }
    record(tx, actor, "second_factor.set_up", operator).await?;
    recovery::make(tx, actor, operator).await
}

/// Takes it away from a person.
///
/// # Errors
/// That they have none, or that the database fails.
pub async fn forget(tx: &mut Tx, actor: &Actor, operator: OperatorId) -> Result<(), Failure> {
    let forgotten = sqlx::query_file!(
        "src/sessions/forget_second_factor.sql",
        actor.tenant.0,
        operator.0
    )
    .execute(&mut **tx)
    .await?;
    if forgotten.rows_affected() == 0 {
        return Err(Refusal::not_found("second factor").into());
    }
    record(tx, actor, "second_factor.forget", operator).await
}

/// Checks a code of a person, of their device or one for recovery, in a transaction of its own, because a wrong one is counted. No
/// code is right twice.
///
/// # Errors
/// That it is wrong, or that there were too many wrong ones; or that the database fails.
pub async fn check(
    db: &Db,
    keys: &Keyring,
    actor: &Actor,
    operator: OperatorId,
    code: &str,
) -> Result<(), Failure> {
    let (tenant, operator_id) = (actor.tenant.0, operator.0);
    let mut tx = db.begin(actor).await?;
    let factor = sqlx::query_file!(
        "src/sessions/second_factor.sql",
        tenant,
        operator_id,
        FAILURES_MAX,
        REST_MINUTES
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(wrong_code)?;
    if factor.resting {
        let detail = format!("too many codes were wrong; try again in {REST_MINUTES} minutes");
        return Err(Refusal::new(Kind::TooMany, "too_many_codes", detail).into());
    }
    let keys = keys.tenant(&mut tx, actor.tenant).await?;
    let secret = keys.open(&place(operator), &factor.secret_encrypted)?;
    let secret = Secret::try_from_base32(secret.expose_secret())
        .map_err(|_| Bug::new("a sealed second factor is none"))?;
    let shown = step(&totp(secret)?, code, factor.now).filter(|step| *step > factor.last_step);
    let passed = match shown {
        Some(step) => Some(step),
        None if recovery::spend(&mut tx, actor, operator, code).await? => Some(factor.last_step),
        None => None,
    };
    match passed {
        Some(step) => {
            sqlx::query_file!("src/sessions/second_factor_passed.sql", tenant, operator_id, step)
                .execute(&mut *tx)
                .await?;
        }
        None => {
            sqlx::query_file!(
                "src/sessions/second_factor_failed.sql",
                tenant,
                operator_id,
                REST_MINUTES
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    tx.commit().await?;
    if passed.is_none() {
        tracing::info!(tenant = %actor.tenant, operator = %operator, address = ?actor.address, "a code was refused");
        return Err(wrong_code().into());
    }
    Ok(())
}

/// That somebody gave the right password and has five minutes to give the code: sealed, so that nobody can make one.
#[derive(Clone)]
pub struct Ticket(pub SecretString);

/// Who holds a ticket.
pub(super) struct Holder {
    pub tenant: TenantId,
    pub operator: OperatorId,
    pub role: Role,
}

fn ticket_place(operator: OperatorId) -> Place {
    Place::new("sessions", "ticket", operator)
}

/// A ticket where the person presents a second factor in the actor's tenant; none where they do not.
pub(super) async fn ticket(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    operator: OperatorId,
) -> Result<Option<Ticket>, Failure> {
    let (due, now) = due(tx, actor, operator).await?;
    if !due {
        return Ok(None);
    }
    let keys = keys.tenant(tx, actor.tenant).await?;
    let sealed = keys.seal(&ticket_place(operator), &(now + TICKET_SECS).to_string().into());
    let sealed = URL_SAFE_NO_PAD.encode(sealed);
    let text = format!("{}.{operator}.{sealed}", actor.tenant);
    Ok(Some(Ticket(text.into())))
}

/// Who holds this ticket, when it is good now. The transaction is the system's, in the tenant that the ticket names.
pub(super) async fn holder(db: &Db, keys: &Keyring, ticket: &Ticket) -> Result<Holder, Failure> {
    let refused = || {
        let detail = "that took too long: sign in again";
        Refusal::new(Kind::Unauthenticated, "no_ticket", detail)
    };
    let mut parts = ticket.0.expose_secret().splitn(3, '.');
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
    let (tenant, operator) = (number(), number());
    let sealed = parts.next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let (Some(tenant), Some(operator), Some(sealed)) = (tenant, operator, sealed) else {
        return Err(refused().into());
    };
    let (tenant, operator) = (TenantId(tenant), OperatorId(operator));
    let mut tx = db.begin(&Actor::system(tenant)).await?;
    let member = sqlx::query_file!("src/sessions/member.sql", tenant.0, operator.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(refused)?;
    let keys = keys.tenant(&mut tx, tenant).await?;
    tx.commit().await?;
    let good = keys
        .open(&ticket_place(operator), &sealed)
        .ok()
        .and_then(|until| until.expose_secret().parse::<i64>().ok())
        .is_some_and(|until| member.now < until);
    if !good {
        return Err(refused().into());
    }
    Ok(Holder {
        tenant,
        operator,
        role: member.role,
    })
}

async fn record(tx: &mut Tx, actor: &Actor, action: &str, operator: OperatorId) -> Result<(), Failure> {
    let entry = Entry {
        action,
        object_type: "operator",
        object_id: Some(operator.to_string()),
        after: Some(json!({"second_factor": action == "second_factor.set_up"})),
        ..Entry::default()
    };
    audit::write(tx, actor, &[entry]).await
}
