//! The files of the demo: the samples that the repository ships, or as many accounts as are asked for.

use std::fmt::Write;

use muster_wire::imports::ImportKind;

/// Accounts that one proxy of the generated files holds.
const ACCOUNTS_PER_PROXY: usize = 3;

/// Of the rows of the generated accounts, every how manieth is followed by one that is wrong on purpose.
const ROWS_PER_WRONG: usize = 100;

/// A file to be imported.
#[derive(Debug, Clone)]
pub struct File {
    /// What it holds.
    pub kind: ImportKind,
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

macro_rules! sample {
    ($kind:ident, $name:literal) => {
        File {
            kind: ImportKind::$kind,
            name: $name,
            bytes: include_bytes!(concat!("../../../../examples/", $name)).to_vec(),
        }
    };
}

/// The samples of the repository, in an order that works: 600 good accounts of three models, 240 good proxies in three
/// dialects, and some rows that are wrong on purpose.
pub fn samples() -> Vec<File> {
    vec![
        sample!(Models, "models.csv"),
        sample!(Proxies, "proxies.csv"),
        sample!(Proxies, "proxies-list.txt"),
        sample!(Proxies, "proxies-entry-points.csv"),
        sample!(Content, "content.csv"),
        sample!(Texts, "texts.csv"),
        sample!(Accounts, "accounts.csv"),
        sample!(Accounts, "accounts-agency.csv"),
        sample!(Accounts, "accounts-campus.txt"),
    ]
}

/// The models, content and texts of the samples, with this many good accounts and proxies enough for them; and one wrong
/// row for each hundred.
pub fn generated(accounts: usize) -> Vec<File> {
    let models: Vec<String> = samples()
        .iter()
        .filter(|file| file.kind == ImportKind::Models)
        .flat_map(|file| {
            String::from_utf8_lossy(&file.bytes)
                .lines()
                .skip(1)
                .map(first_cell)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut files: Vec<File> = samples()
        .into_iter()
        .filter(|file| {
            matches!(
                file.kind,
                ImportKind::Models | ImportKind::Content | ImportKind::Texts
            )
        })
        .collect();
    let file = |kind, name, text: String| File {
        kind,
        name,
        bytes: text.into_bytes(),
    };
    files.push(file(
        ImportKind::Proxies,
        "proxies-generated.csv",
        proxies(accounts),
    ));
    files.push(file(
        ImportKind::Accounts,
        "accounts-generated.csv",
        accounts_of(accounts, &models),
    ));
    files
}

fn first_cell(line: &str) -> String {
    line.split(',')
        .next()
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}

fn proxies(accounts: usize) -> String {
    let mut text = "scheme,host,port,username,password,provider,location,monthly_cost\n".to_owned();
    for n in 0..accounts.div_ceil(ACCOUNTS_PER_PROXY) {
        let (host, port) = (n / 10_000, 10_000 + n % 10_000);
        writeln!(
            text,
            "http,p{host}.proxies.example.com,{port},user{n},not-a-secret-{n},Example,Berlin,4.50"
        )
        .expect("writing to a String does not fail");
    }
    text
}

fn accounts_of(accounts: usize, models: &[String]) -> String {
    let mut text =
        "username,email,model,authorisation_basis,authorisation_reference,location_city\n".to_owned();
    for n in 0..accounts {
        let model = &models[n % models.len()];
        writeln!(
            text,
            "demo_{n},demo_{n}@example.com,\"{model}\",owned,demo contract,Berlin"
        )
        .expect("writing to a String does not fail");
        if n % ROWS_PER_WRONG == ROWS_PER_WRONG - 1 {
            writeln!(text, "not a handle {n},no address,\"{model}\",owned,,Berlin")
                .expect("writing to a String does not fail");
        }
    }
    text
}
