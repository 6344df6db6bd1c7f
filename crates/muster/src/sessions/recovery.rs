//! Recovery codes: what lets a person in who lost the device of their second factor. Each is right once, in the place of the
//! device's code and throttled like it; they are shown when they are made, and only their hashes are kept.

use muster_wire::{Fault, OperatorId};
use rand::RngExt;
use secrecy::SecretString;
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::{Db, Tx},
    problem::{Failure, Kind, Refusal},
    seal::Keyring,
    sessions::{From, passwords::Passwords, second_factor},
    token,
};

/// How many codes a person has at first.
pub const RECOVERY_CODES: usize = 10;

/// Digits and letters that are not taken for one another, 32 of them: five bits each (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The characters of a code, in groups: a hundred random bits.
const GROUPS: usize = 5;
const GROUP_CHARS: usize = 4;

/// Makes the codes of a person anew; those that they had are worth nothing from then on. Gives the new ones, which are not shown
/// again.
///
/// # Errors
/// When the database fails.
pub(super) async fn make(
    tx: &mut Tx,
    actor: &Actor,
    operator: OperatorId,
) -> Result<Vec<SecretString>, Failure> {
    let codes: Vec<SecretString> = (0..RECOVERY_CODES).map(|_| mint()).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| token::hash(code).to_vec()).collect();
    let (tenant, person) = (actor.tenant.0, operator.0);
    sqlx::query_file!("src/sessions/forget_recovery_codes.sql", tenant, person)
        .execute(&mut **tx)
        .await?;
    sqlx::query_file!("src/sessions/add_recovery_codes.sql", tenant, person, &hashes)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "recovery_codes.make", operator).await?;
    Ok(codes)
}

/// Makes the codes of a person anew, for whoever gives their password and a code, of the device or one of the old ones.
///
/// # Errors
/// That there were too many attempts; that the password or the code is wrong; or that the database fails.
pub async fn renew(
    db: &Db,
    keys: &Keyring,
    passwords: &Passwords,
    from: &From,
    actor: &Actor,
    operator: OperatorId,
    (password, code): (SecretString, &str),
) -> Result<Vec<SecretString>, Failure> {
    let mut tx = db.begin(actor).await?;
    let own = sqlx::query_file!("src/sessions/own_password.sql", actor.tenant.0, operator.0)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    passwords.admit(from.address, Some(&own.email))?;
    if !passwords.verify(password, own.password_hash).await? {
        tracing::info!(tenant = %actor.tenant, operator = %operator, address = ?actor.address, "a password was refused");
        let detail = "this is not your password";
        return Err(Refusal {
            faults: vec![Fault::new("/password", "wrong_credentials", detail)],
            ..Refusal::new(Kind::Unauthenticated, "wrong_credentials", detail)
        }
        .into());
    }
    second_factor::check(db, keys, actor, operator, code).await?;
    let mut tx = db.begin(actor).await?;
    let codes = make(&mut tx, actor, operator).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Spends a code of a person; gives whether it was one.
pub(super) async fn spend(
    tx: &mut Tx,
    actor: &Actor,
    operator: OperatorId,
    code: &str,
) -> Result<bool, Failure> {
    let hash = token::hash(&read(code));
    let spent = sqlx::query_file!(
        "src/sessions/use_recovery_code.sql",
        actor.tenant.0,
        operator.0,
        &hash[..]
    )
    .execute(&mut **tx)
    .await?;
    if spent.rows_affected() == 0 {
        return Ok(false);
    }
    record(tx, actor, "recovery_codes.use", operator).await?;
    Ok(true)
}

/// How many codes a person has left.
///
/// # Errors
/// When the database fails.
pub async fn left(tx: &mut Tx, actor: &Actor, operator: OperatorId) -> Result<i64, Failure> {
    let left = sqlx::query_file_scalar!("src/sessions/recovery_codes_left.sql", actor.tenant.0, operator.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(left)
}

async fn record(tx: &mut Tx, actor: &Actor, action: &str, operator: OperatorId) -> Result<(), Failure> {
    let left = left(tx, actor, operator).await?;
    let entry = Entry {
        action,
        object_type: "operator",
        object_id: Some(operator.to_string()),
        after: Some(json!({ "recovery_codes_left": left })),
        ..Entry::default()
    };
    audit::write(tx, actor, &[entry]).await
}

/// A new code, as it is shown.
fn mint() -> SecretString {
    let mut rng = rand::rng();
    let mut code = String::with_capacity(GROUPS * (GROUP_CHARS + 1));
    for at in 0..GROUPS * GROUP_CHARS {
        if at > 0 && at % GROUP_CHARS == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    }
    code.into()
}

/// A code as it was made, of how somebody wrote it: in capitals, with other spaces, or with letters for the digits they look like.
fn read(text: &str) -> SecretString {
    let mut code = String::with_capacity(GROUPS * (GROUP_CHARS + 1));
    let chars = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
    for (at, char) in chars.enumerate() {
        if at > 0 && at % GROUP_CHARS == 0 {
            code.push('-');
        }
        code.push(match char.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
    }
    code.into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        let code = mint();
        let code = code.expose_secret();
        assert_eq!(code.len(), GROUPS * GROUP_CHARS + GROUPS - 1, "{code}");
        let capitals = code.to_uppercase();
        let spaced = code.replace('-', " ");
        let alike = code.replace('0', "O").replace('1', "l");
        for written in [code, &capitals, &spaced, &alike, &code.replace('-', "")] {
            assert_eq!(read(written).expose_secret(), code, "{written}");
        }
        assert_ne!(mint().expose_secret(), code);
    }
}
