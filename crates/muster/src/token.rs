//! The form of bearer tokens: `mst_bot_TENANT_<43 random><6 checksum>`, `mst_api_...` and `mst_ses_...`, in base 62; and of
//! what a password link holds, `mst_pwd_...`, which signs nobody in.
//!
//! 43 characters of base 62 are 256 random bits. The checksum lets scanners and the server tell a token from noise
//! without a look-up. A secret scanner finds them with `mst_(bot|api|ses|pwd)_[1-9][0-9]*_[0-9A-Za-z]{49}`.

use muster_wire::TenantId;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;

/// The kinds of bearer tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Acts as a bot.
    Bot,
    /// Acts as an operator.
    Api,
    /// An operator's session.
    Session,
    /// Lets a person set their password, once.
    Password,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            TokenKind::Bot => "mst_bot_",
            TokenKind::Api => "mst_api_",
            TokenKind::Session => "mst_ses_",
            TokenKind::Password => "mst_pwd_",
        }
    }
}

/// A token that has the right form; whether it is good is for the database to say.
#[derive(Debug, Clone)]
pub struct Presented {
    /// Its kind.
    pub kind: TokenKind,
    /// The tenant that it claims to be of.
    pub tenant: TenantId,
    /// Its SHA-256, which is what is stored.
    pub hash: [u8; 32],
}

/// Makes a new token. This is the only time it can be shown; what is stored is its hash, and its last four characters.
pub fn mint(kind: TokenKind, tenant: TenantId) -> SecretString {
    let mut rng = rand::rng();
    let random = (0..RANDOM_CHARS)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect::<String>();
    let body = format!("{}{tenant}_{random}", kind.prefix());
    let sum = checksum(&body);
    SecretString::from(body + &sum)
}

/// What is stored of a token.
pub fn hash(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

/// The last four characters, by which people tell tokens apart.
pub fn hint(token: &SecretString) -> String {
    let text = token.expose_secret();
    text[text.len() - 4..].to_owned()
}

/// Reads a token; none where it has not the form of one.
pub fn read(text: &str) -> Option<Presented> {
    let kind = [
        TokenKind::Bot,
        TokenKind::Api,
        TokenKind::Session,
        TokenKind::Password,
    ]
    .into_iter()
    .find(|k| text.starts_with(k.prefix()))?;
    let (tenant, random) = text[kind.prefix().len()..].split_once('_')?;
    if random.len() != RANDOM_CHARS + CHECKSUM_CHARS || !random.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
    if checksum(body) != sum {
        return None;
    }
    let tenant = tenant.parse::<i64>().ok().filter(|n| *n > 0)?;
    Some(Presented {
        kind,
        tenant: TenantId(tenant),
        hash: Sha256::digest(text.as_bytes()).into(),
    })
}

fn checksum(body: &str) -> String {
    let mut sum = crc32fast::hash(body.as_bytes()) as usize;
    let mut out = [b'0'; CHECKSUM_CHARS];
    for place in out.iter_mut().rev() {
        *place = ALPHABET[sum % ALPHABET.len()];
        sum /= ALPHABET.len();
    }
    out.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_read_as_it_was_made() {
        let token = mint(TokenKind::Bot, TenantId(12));
        let presented = read(token.expose_secret()).expect("it has the form");
        assert_eq!((presented.kind, presented.tenant), (TokenKind::Bot, TenantId(12)));
        assert_eq!(presented.hash, hash(&token));
    }

    #[test]
    fn a_token_with_one_character_changed_is_told_without_a_look_up() {
        let token = mint(TokenKind::Api, TenantId(3));
        let text = token.expose_secret();
        for at in "mst_api_".len()..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b'1' { b'2' } else { b'1' };
            if other == text.as_bytes() {
                continue;
            }
            assert!(
                read(std::str::from_utf8(&other).expect("ascii")).is_none(),
                "character {at}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_token_panic(text in "(mst_(bot|api|ses)_)?.*") {
            let _ = read(&text);
        }
    }
}
