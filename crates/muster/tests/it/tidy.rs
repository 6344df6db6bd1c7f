//! The house rules, as far as a look at the text of the tree can check them. Each fault is told with file, line and cure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The most lines of a file.
const FILE_LINES_MAX: usize = 700;

/// Features, from the lowest up: each may use those before it.
const FEATURES: &[&str] = &[
    "tenants",
    "keys",
    "sessions",
    "operators",
    "bots",
    "tokens",
    "models",
    "proxies",
    "pictures",
    "content",
    "texts",
    "accounts",
    "batches",
    "work",
    "reviews",
    "imports",
    "metrics",
    "today",
];

/// Folders with handlers that any feature may use, or that use none.
const FREE: &[&str] = &["audit", "doctor"];

/// Where SQL may be written in Rust, and why.
const SQL_IN_RUST: &[(&str, &str)] = &[
    ("crates/muster/src/db.rs", "opens transactions"),
    ("crates/muster/src/schema/", "migrates"),
    (
        "crates/muster/src/replica.rs",
        "sets what PostgreSQL takes no parameters for, on servers without a schema",
    ),
    (
        "crates/muster/src/cluster/",
        "makes roles and databases before there is a schema",
    ),
];

/// Scripts of several statements, and why.
const SCRIPTS: &[(&str, &str)] = &[(
    "crates/muster/src/cluster/roles.sql",
    "runs through psql, before there is a schema",
)];

/// Tests of the rules themselves have to break them.
const BREAKERS: &[&str] = &[
    "crates/muster/tests/it/tidy.rs",
    "crates/muster/tests/it/isolation.rs",
];

/// A file of the tree.
struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is(&self, extension: &str) -> bool {
        self.path.ends_with(extension)
    }

    /// The name of the file.
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folder of the server's source that it is in, if it is in one.
    fn folder(&self) -> Option<&str> {
        let (folder, _) = self.path.strip_prefix("crates/muster/src/")?.split_once('/')?;
        Some(folder)
    }

    /// Its lines with their numbers, but for comments of Rust, and for the unit tests at the end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let rust = self.is(".rs");
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !(rust && line.starts_with("mod tests")))
            .filter(move |(_, line)| !(rust && line.trim_start().starts_with("//")))
            .map(|(at, line)| (at + 1, line))
    }

    /// A fault on each line of code that has one of these.
    fn faults(&self, any: &[&str], cure: &str) -> Vec<String> {
        self.code()
            .filter_map(|(at, line)| {
                let word = any.iter().find(|word| line.contains(**word))?;
                Some(format!("{}:{at}: `{word}`: {cure}", self.path))
            })
            .collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the root")
}

/// The files of the tree that people write.
fn tree() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, root, found);
                }
            } else if [".rs", ".sql", ".md", ".toml", ".html", ".js"]
                .iter()
                .any(|e| name.ends_with(e))
            {
                let text =
                    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

// ------------------------------------------------------------------------------------------------ rules for a file

fn operations_know_no_http(file: &Source) -> Vec<String> {
    let operations = file
        .folder()
        .is_some_and(|f| FEATURES.contains(&f) || FREE.contains(&f))
        && file.is(".rs")
        && !matches!(file.name(), "api.rs" | "page.rs" | "pages.rs");
    if !operations {
        return Vec::new();
    }
    file.faults(
        &["axum", "askama", "utoipa"],
        "operations know neither HTTP nor HTML; move it to api.rs or page.rs",
    )
}

fn handlers_know_no_sql(file: &Source) -> Vec<String> {
    if !file.path.starts_with("crates/muster/src/")
        || !matches!(file.name(), "api.rs" | "page.rs" | "pages.rs")
    {
        return Vec::new();
    }
    file.faults(
        &["sqlx", ".sql\""],
        "handlers parse, call and reply; call an operation of mod.rs",
    )
}

fn a_sql_file_is_one_described_statement(file: &Source) -> Vec<String> {
    let measures = file.path.starts_with("crates/bench/");
    if !(file.path.starts_with("crates/muster/src/") || measures) || !file.is(".sql") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if !file.text.starts_with("-- ") {
        faults.push(format!(
            "{}:1: begin with a comment that says what is guaranteed",
            file.path
        ));
    }
    let bare = without_comments_and_texts(&file.text);
    let body = bare.trim_end().trim_end_matches(';');
    // The benchmark makes functions and roles, which is several statements.
    let script = measures || SCRIPTS.iter().any(|(path, _)| *path == file.path);
    if let Some(at) = body.find(';').filter(|_| !script) {
        let line = body[..at].lines().count();
        faults.push(format!(
            "{}:{line}: a second statement: give it a file of its own",
            file.path
        ));
    }
    for (at, line) in bare.lines().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        if words
            .windows(2)
            .any(|w| matches!(w[0], "select" | "returning" | "distinct") && w[1].starts_with('*'))
        {
            faults.push(format!("{}:{}: `*`: name the columns", file.path, at + 1));
        }
        if words.iter().any(|w| {
            matches!(
                *w,
                "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "FROM" | "WHERE" | "WITH" | "AND"
            )
        }) {
            faults.push(format!("{}:{}: write SQL in lower case", file.path, at + 1));
        }
    }
    faults
}

/// The SQL with its comments and quoted texts blanked out, line by line.
fn without_comments_and_texts(sql: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for line in sql.lines() {
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => quoted = !quoted,
                '-' if !quoted && rest.peek() == Some(&'-') => break,
                _ if quoted => {}
                _ => out.push(c),
            }
        }
        out.push('\n');
    }
    out
}

fn sql_is_in_sql_files(file: &Source) -> Vec<String> {
    const BEGINNINGS: &[&str] = &[
        "\"select ",
        "\"insert into ",
        "\"update ",
        "\"delete from ",
        "\"with ",
        "\"create table ",
        "\"create role ",
        "\"create database ",
        "\"alter ",
        "\"drop ",
        "\"truncate ",
        "\"grant ",
        "\"begin",
        "\"set ",
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE ",
    ];
    let rust = file.path.starts_with("crates/") && file.path.contains("/src/") && file.is(".rs");
    if !rust || SQL_IN_RUST.iter().any(|(path, _)| file.path.starts_with(path)) {
        return Vec::new();
    }
    // Where SQL is written, sqlx is near; other sentences may begin with the same words.
    let all: Vec<_> = file.code().collect();
    let mut faults = Vec::new();
    for (index, (at, line)) in all.iter().enumerate() {
        let near = &all[index.saturating_sub(3)..=index];
        let sqlx = near
            .iter()
            .any(|(_, l)| l.contains("query") || l.contains("execute(") || l.contains("raw_sql"));
        if sqlx && BEGINNINGS.iter().any(|b| line.contains(b)) {
            faults.push(format!(
                "{}:{at}: SQL in Rust: put the statement in a .sql file beside the feature",
                file.path
            ));
        }
    }
    faults
}

fn only_the_command_line_prints(file: &Source) -> Vec<String> {
    let server = file.path.starts_with("crates/muster/src/") || file.path.starts_with("crates/wire/src/");
    if !server
        || !file.is(".rs")
        || file.path.starts_with("crates/muster/src/cli/")
        || file.path.ends_with("/main.rs")
    {
        return Vec::new();
    }
    file.faults(
        &["println!(", "print!("],
        "only the command line prints; the server logs with tracing",
    )
}

fn nothing_is_left_for_later(file: &Source) -> Vec<String> {
    if !file.path.starts_with("crates/") || BREAKERS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let words = [
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "#[ignore",
        "FIXME",
        "TODO",
        "XXX",
    ];
    file.text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let word = words.iter().find(|word| line.contains(**word))?;
            Some(format!(
                "{}:{}: `{word}`: do it now, or write an issue",
                file.path,
                at + 1
            ))
        })
        .collect()
}

fn the_tenant_is_set_for_a_transaction_only(file: &Source) -> Vec<String> {
    if !(file.is(".rs") || file.is(".sql")) || BREAKERS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let cure = "ends with the session, not with the transaction, and leaks to whoever is next; use set_config(..., true)";
    file.code()
        .filter(|(_, line)| {
            let line = line.to_lowercase();
            let session = line.contains("set_config(") && line.replace(' ', "").contains(",false)");
            session || line.contains("set muster.") || line.contains("set session muster.")
        })
        .map(|(at, _)| format!("{}:{at}: {cure}", file.path))
        .collect()
}

fn features_use_those_below_them(file: &Source) -> Vec<String> {
    let Some(own) = file.folder().filter(|_| file.is(".rs")) else {
        return Vec::new();
    };
    let place = |feature: &str| FEATURES.iter().position(|f| *f == feature);
    let Some(own_place) = place(own) else {
        if file.name() == "api.rs" && !FREE.contains(&own) && own != "cli" {
            return vec![format!(
                "{}:1: give the feature `{own}` its place in FEATURES of tests/it/tidy.rs",
                file.path
            )];
        }
        return Vec::new();
    };
    let code: String = file.code().map(|(_, line)| format!("{line}\n")).collect();
    used_modules(&code)
        .into_iter()
        .filter(|used| place(used).is_some_and(|at| at > own_place))
        .map(|used| {
            format!(
                "{}: `{own}` uses `{used}`, which is above it: turn the call round, or move what both need below both",
                file.path
            )
        })
        .collect()
}

/// The modules that come right after `crate::`, in paths and in braces.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        let Some(list) = rest.strip_prefix('{') else {
            used.insert(word(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    used.insert(word(item.trim()));
                    item.clear();
                }
                _ if depth == 0 => item.push(c),
                _ => {}
            }
        }
        used.insert(word(item.trim()));
    }
    used
}

fn files_are_short(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    if !file.path.starts_with("crates/") || !file.is(".rs") || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{}:{lines}: more than {FILE_LINES_MAX} lines: split it where it tells two things",
        file.path
    )]
}

fn nothing_names_a_machine(file: &Source) -> Vec<String> {
    if BREAKERS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let paths = ["/work/", "/home/", "/root/", "/Users/", "C:\\Users"];
    file.text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let path = paths.iter().find(|path| named(line, path))?;
            Some(format!(
                "{}:{}: `{path}`: a path of somebody's machine; say it so that it holds for everybody",
                file.path,
                at + 1
            ))
        })
        .collect()
}

/// Whether the line has this as the beginning of a path: `/v1/work/claim` and `../work/` are no paths of a machine.
fn named(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}>*$/)".contains(c))
    })
}

fn nothing_is_unsafe(file: &Source) -> Vec<String> {
    if file.is(".rs") && file.path.starts_with("crates/") && !BREAKERS.contains(&file.path.as_str()) {
        return file.faults(
            &["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code"],
            "there is no unsafe code here",
        );
    }
    if file.name() != "Cargo.toml" {
        return Vec::new();
    }
    // The benchmark's is one too.
    let workspace = file.text.lines().any(|line| line == "[workspace]");
    let denies = ["deny", "forbid"]
        .iter()
        .any(|l| file.text.contains(&format!("unsafe_code = \"{l}\"")));
    if workspace && !denies {
        return vec![format!(
            "{}:1: deny unsafe_code in the lints of the workspace",
            file.path
        )];
    }
    if !workspace && !file.text.contains("[lints]\nworkspace = true") {
        return vec![format!(
            "{}:1: take the lints of the workspace: `[lints]`, `workspace = true`",
            file.path
        )];
    }
    Vec::new()
}

fn secrets_are_not_shown_by_debug(file: &Source) -> Vec<String> {
    let (mut faults, mut shown) = (Vec::new(), false);
    for (at, line) in file
        .code()
        .filter(|_| file.is(".rs") && file.path.contains("/src/"))
    {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            shown |= line.contains("Debug");
        } else if line.ends_with("wire! {") {
            shown = true;
        } else if line == "}" {
            shown = false;
        }
        let Some((name, kind)) = line.split_once(": ") else {
            continue;
        };
        let name = name.rsplit(' ').next().unwrap_or_default();
        let secret = ["password", "token", "secret"]
            .iter()
            .any(|word| name == *word || name.ends_with(&format!("_{word}")));
        if shown && secret && ["String,", "Option<String>,", "Option<Option<String>>,"].contains(&kind) {
            faults.push(format!(
                "{}:{at}: `{name}`: keep it as Secret or SecretString, whose `Debug` shows nothing",
                file.path
            ));
        }
    }
    faults
}

type Rule = fn(&Source) -> Vec<String>;

/// Every rule, with a file that breaks it: path and text.
const RULES: &[(Rule, &str, &str)] = &[
    (
        operations_know_no_http,
        "crates/muster/src/models/mod.rs",
        "use axum::Json;\n",
    ),
    (
        handlers_know_no_sql,
        "crates/muster/src/models/api.rs",
        "    sqlx::query!()\n",
    ),
    (
        a_sql_file_is_one_described_statement,
        "crates/muster/src/models/a.sql",
        "select id from models\n",
    ),
    (
        a_sql_file_is_one_described_statement,
        "crates/muster/src/models/a.sql",
        "-- Gives.\nselect id;\nselect id;\n",
    ),
    (
        a_sql_file_is_one_described_statement,
        "crates/muster/src/models/a.sql",
        "-- Gives.\nselect * from models\n",
    ),
    (
        a_sql_file_is_one_described_statement,
        "crates/muster/src/models/a.sql",
        "-- Gives.\nSELECT id from models\n",
    ),
    (
        a_sql_file_is_one_described_statement,
        "crates/bench/sql/a.sql",
        "select id from models\n",
    ),
    (
        sql_is_in_sql_files,
        "crates/muster/src/models/mod.rs",
        "sqlx::query(\n    \"select 1\",\n)",
    ),
    (
        only_the_command_line_prints,
        "crates/muster/src/models/mod.rs",
        "    println!(\"x\");\n",
    ),
    (
        nothing_is_left_for_later,
        "crates/muster/src/models/mod.rs",
        "    todo!()\n",
    ),
    (
        nothing_is_left_for_later,
        "crates/muster/src/models/a.sql",
        "-- FIXME\n",
    ),
    (
        the_tenant_is_set_for_a_transaction_only,
        "crates/muster/src/a.sql",
        "select set_config('muster.tenant_id', '1', false)\n",
    ),
    (
        the_tenant_is_set_for_a_transaction_only,
        "crates/muster/src/a.rs",
        "\"set muster.tenant_id = 1\"\n",
    ),
    (
        features_use_those_below_them,
        "crates/muster/src/models/mod.rs",
        "use crate::{db::Tx, work::{self}};\n",
    ),
    (
        features_use_those_below_them,
        "crates/muster/src/models/mod.rs",
        "    crate::work::claim()\n",
    ),
    (
        features_use_those_below_them,
        "crates/muster/src/novelties/api.rs",
        "//! New.\n",
    ),
    (
        nothing_names_a_machine,
        "docs/operate.md",
        "See `/home/ana/muster`.\n",
    ),
    (
        secrets_are_not_shown_by_debug,
        "crates/wire/src/a.rs",
        "crate::wire! {\n    pub struct A {\n        pub password: Option<String>,\n",
    ),
    (
        secrets_are_not_shown_by_debug,
        "crates/muster/src/a.rs",
        "#[derive(Clone, Debug)]\nstruct A {\n    access_token: String,\n",
    ),
    (
        nothing_is_unsafe,
        "crates/wire/src/lib.rs",
        "    unsafe { x() }\n",
    ),
    (nothing_is_unsafe, "crates/wire/Cargo.toml", "[package]\n"),
    (nothing_is_unsafe, "Cargo.toml", "[workspace]\n"),
    (nothing_is_unsafe, "crates/bench/Cargo.toml", "[workspace]\n"),
];

#[test]
fn every_file_keeps_the_rules() {
    let tree = tree();
    assert!(tree.len() > 50, "the tree was not found");
    // A rule may be in the table several times, to show that it sees several faults.
    let rules: BTreeMap<usize, Rule> = RULES.iter().map(|(rule, ..)| (*rule as usize, *rule)).collect();
    let faults: Vec<_> = tree
        .iter()
        .flat_map(|file| {
            rules
                .values()
                .chain([&(files_are_short as Rule)])
                .flat_map(move |rule| rule(file))
        })
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn every_rule_sees_what_breaks_it() {
    for (rule, path, text) in RULES {
        let file = Source {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        assert!(!rule(&file).is_empty(), "no rule saw {path}: {text}");
    }
    let long = Source {
        path: "crates/wire/src/long.rs".to_owned(),
        text: "\n".repeat(FILE_LINES_MAX + 1),
    };
    assert!(!files_are_short(&long).is_empty());
}

#[test]
fn every_statement_is_used_in_one_place() {
    let tree = tree();
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in tree
        .iter()
        .filter(|f| f.path.starts_with("crates/muster/src/") && f.is(".rs"))
    {
        for (at, line) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for text in line
                .split('"')
                .skip(1)
                .step_by(2)
                .filter(|text| text.ends_with(".sql"))
            {
                let path = match text.strip_prefix("src/") {
                    Some(rest) => format!("crates/muster/src/{rest}"),
                    None => format!(
                        "{}/{text}",
                        file.path.rsplit_once('/').map_or("", |(folder, _)| folder)
                    ),
                };
                uses.entry(path)
                    .or_default()
                    .push(format!("{}:{}", file.path, at + 1));
            }
        }
    }
    let mut faults = Vec::new();
    for file in tree
        .iter()
        .filter(|f| f.path.starts_with("crates/muster/src/") && f.is(".sql"))
    {
        match uses.get(&file.path).map(Vec::as_slice) {
            None => faults.push(format!("{}: nothing uses it: delete it", file.path)),
            Some([_]) => {}
            Some(places) => faults.push(format!(
                "{}: used at {}: call one function from both",
                file.path,
                places.join(", ")
            )),
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
