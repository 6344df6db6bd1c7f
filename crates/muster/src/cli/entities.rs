//! Every entity alike: list, show, add, set, delete. What can be added and changed is read from the document of the API, so
//! that a field is described once.

use std::{collections::BTreeMap, io::Read};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::{Map, Value};

use super::{
    Exit,
    print::Column,
    remote::{Remote, Shown, confirm},
    verbs,
};

/// An entity of the API.
#[derive(Debug)]
pub struct Entity {
    /// The command's name.
    pub name: &'static str,
    /// What it is, for help and for questions.
    about: &'static str,
    /// Its path.
    pub path: &'static str,
    /// What lists show of it.
    pub columns: &'static [Column],
    /// Another name for `delete`, where that says better what happens.
    delete: &'static str,
}

/// Every entity.
pub const ENTITIES: &[Entity] = &[
    Entity {
        name: "models",
        about: "Models: the brands or creators that accounts represent.",
        path: "/v1/models",
        columns: &[
            ("ID", "id"),
            ("NAME", "name"),
            ("STATUS", "status"),
            ("ACCOUNTS", "total_accounts"),
            ("ACTIVE", "active_accounts"),
            ("STEPS FOR PEOPLE", "people_steps"),
        ],
        delete: "delete",
    },
    Entity {
        name: "accounts",
        about: "Accounts, and their lives.",
        path: "/v1/accounts",
        columns: &[
            ("ID", "id"),
            ("USERNAME", "username"),
            ("MODEL", "model"),
            ("STATE", "lifecycle_state"),
            ("STEP", "warmup_step"),
            ("STATUS", "status"),
            ("PROXY", "proxy_id"),
            ("HOLD", "hold.code"),
            ("SINCE", "state_changed_at"),
        ],
        delete: "delete",
    },
    Entity {
        name: "proxies",
        about: "Proxies: the network egress of accounts.",
        path: "/v1/proxies",
        columns: &[
            ("ID", "id"),
            ("SCHEME", "scheme"),
            ("HOST", "host"),
            ("PORT", "port"),
            ("USERNAME", "username"),
            ("STATUS", "status"),
            ("ACCOUNTS", "account_count"),
            ("MAX", "max_accounts"),
            ("LOCATION", "location"),
            ("TESTED", "last_tested_at"),
            ("ERROR", "last_error_message"),
        ],
        delete: "delete",
    },
    Entity {
        name: "content",
        about: "Content: the pictures that models publish.",
        path: "/v1/content",
        columns: &[
            ("ID", "id"),
            ("MODEL", "model"),
            ("TYPE", "content_type"),
            ("PICTURE", "image_url"),
            ("USED", "usage_count"),
            ("SUCCESS", "success_rate"),
            ("LAST USED", "last_used_at"),
        ],
        delete: "delete",
    },
    Entity {
        name: "texts",
        about: "Texts: biographies and captions of models.",
        path: "/v1/texts",
        columns: &[
            ("ID", "id"),
            ("MODEL", "model"),
            ("TYPE", "content_type"),
            ("TEXT", "text_content"),
            ("USED", "usage_count"),
            ("SUCCESS", "success_rate"),
        ],
        delete: "delete",
    },
    Entity {
        name: "bots",
        about: "Bots: the programs that work steps.",
        path: "/v1/bots",
        columns: &[
            ("ID", "id"),
            ("NAME", "name"),
            ("STATUS", "status"),
            ("LEASES", "leases"),
            ("LAST SEEN", "last_seen_at"),
            ("DESCRIPTION", "description"),
        ],
        delete: "delete",
    },
    Entity {
        name: "tokens",
        about: "API tokens of bots and operators.",
        path: "/v1/tokens",
        columns: &[
            ("ID", "id"),
            ("KIND", "kind"),
            ("NAME", "name"),
            ("HINT", "hint"),
            ("STATE", "state"),
            ("BOT", "bot_id"),
            ("OPERATOR", "operator_id"),
            ("ROLE", "role"),
            ("EXPIRES", "expires_at"),
            ("LAST USED", "last_used_at"),
        ],
        delete: "revoke",
    },
    Entity {
        name: "operators",
        about: "Operators: the people who sign in.",
        path: "/v1/operators",
        columns: &[
            ("ID", "id"),
            ("EMAIL", "email"),
            ("NAME", "name"),
            ("ROLE", "role"),
            ("SINCE", "created_at"),
        ],
        delete: "delete",
    },
    Entity {
        name: "reviews",
        about: "Reviews: accounts that wait for a person's decision.",
        path: "/v1/reviews",
        columns: &[
            ("ACCOUNT", "account.id"),
            ("USERNAME", "account.username"),
            ("MODEL", "account.model"),
            ("KIND", "kind"),
            ("STEP", "account.warmup_step"),
            ("SINCE", "since"),
            ("REASON", "reason"),
        ],
        delete: "delete",
    },
    Entity {
        name: "imports",
        about: "Imports that were made; `muster import` makes them.",
        path: "/v1/imports",
        columns: &[
            ("ID", "id"),
            ("KIND", "kind"),
            ("STATE", "state"),
            ("FILE", "file_name"),
            ("NEW", "new_rows"),
            ("CHANGED", "changed_rows"),
            ("SAME", "same_rows"),
            ("REJECTED", "rejected_rows"),
            ("READ", "created_at"),
        ],
        delete: "discard",
    },
    Entity {
        name: "audit",
        about: "The audit log: who did what.",
        path: "/v1/audit",
        columns: &[
            ("AT", "at"),
            ("BY", "triggered_by"),
            ("OPERATOR", "operator_id"),
            ("BOT", "bot_id"),
            ("ACTION", "action"),
            ("OBJECT", "object_type"),
            ("ID", "object_id"),
            ("REASON", "reason"),
        ],
        delete: "delete",
    },
];

/// The entity of a name.
pub fn entity(name: &str) -> Option<&'static Entity> {
    ENTITIES.iter().find(|entity| entity.name == name)
}

/// A field of a request, as the document of the API describes it.
#[derive(Debug)]
struct Field {
    about: String,
    /// A text, which is taken as it stands; anything else is JSON.
    text: bool,
    nullable: bool,
    /// Never an argument, which every user of the machine can see.
    secret: bool,
}

/// The document of the API.
#[derive(Debug)]
pub struct Document(Value);

impl Document {
    /// The document of this version.
    pub fn new() -> Self {
        Self(serde_json::to_value(crate::app::document()).expect("the document is JSON"))
    }

    fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        self.0["paths"].get(path)?.get(method)
    }

    /// The fields that a request takes, by name; none where there is no such request.
    fn fields(&self, path: &str, method: &str) -> Option<BTreeMap<String, Field>> {
        let operation = self.operation(path, method)?;
        let schema = self.resolved(&operation["requestBody"]["content"]["application/json"]["schema"]);
        let fields = schema["properties"].as_object()?;
        Some(
            fields
                .iter()
                .map(|(name, schema)| (name.clone(), self.field(schema)))
                .collect(),
        )
    }

    fn field(&self, schema: &Value) -> Field {
        let mut types = Vec::new();
        let mut secret = false;
        self.types(schema, &mut types, &mut secret);
        let about = schema["description"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('.')
            .to_owned();
        Field {
            about,
            text: types.iter().all(|t| matches!(t.as_str(), "string" | "null")) && !types.is_empty(),
            nullable: types.iter().any(|t| t == "null"),
            secret,
        }
    }

    fn types(&self, schema: &Value, types: &mut Vec<String>, secret: &mut bool) {
        let schema = self.resolved(schema);
        *secret |= schema["format"] == "password" || schema["writeOnly"] == true;
        match &schema["type"] {
            Value::String(one) => types.push(one.clone()),
            Value::Array(several) => {
                types.extend(several.iter().filter_map(Value::as_str).map(str::to_owned))
            }
            _ => {}
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.types(part, types, secret);
            }
        }
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
            Some(pointer) => self.0.pointer(pointer).unwrap_or(schema),
            None => schema,
        }
    }
}

impl Field {
    /// What was written, as the value it means.
    fn read(&self, text: &str) -> Value {
        match text {
            "null" if self.nullable => Value::Null,
            _ if self.text => Value::String(text.to_owned()),
            _ => json_or_text(text),
        }
    }
}

/// JSON where it is that; otherwise the text itself.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn id() -> Arg {
    Arg::new("id").required(true).value_name("ID").help("Its id")
}

fn from() -> Arg {
    Arg::new("from")
        .long("from")
        .value_name("FILE")
        .help("The fields as a JSON object in a file, or - for standard input")
}

impl Entity {
    /// The path of one of them.
    fn one(&self) -> String {
        format!("{}/{{id}}", self.path)
    }

    /// Its command, with what the API can do with it.
    pub fn command(&self, document: &Document) -> Command {
        let mut command = Remote::augment_args(Command::new(self.name));
        command = command.subcommand_required(true).arg_required_else_help(true);
        if let Some(list) = document.operation(self.path, "get") {
            let qualifiers = ["summary", "description"]
                .map(|part| list[part].as_str().unwrap_or_default())
                .join(" ");
            let show = Shown::augment_args(Command::new("list"))
                .about("List them")
                .long_about(None);
            command = command.subcommand(show.after_help(qualifiers.trim().to_owned()));
        }
        let one = self.one();
        if document.operation(&one, "get").is_some() {
            command = command.subcommand(Command::new("show").about("Show one").arg(id()));
        }
        // What is answered otherwise than by 201 is no create.
        let creates = document
            .operation(self.path, "post")
            .is_some_and(|o| !o["responses"]["201"].is_null());
        if let Some(fields) = creates.then(|| document.fields(self.path, "post")).flatten() {
            let about =
                "Add one; secrets only through --from, for arguments are seen by every user of a machine";
            let set = Arg::new("set")
                .long("set")
                .value_name("FIELD=VALUE")
                .action(ArgAction::Append)
                .help("Any field");
            let add = Command::new("add").about(about).args([from(), set]);
            command =
                command.subcommand(add.args(fields.into_iter().filter(|(_, field)| !field.secret).map(flag)));
        }
        if let Some(fields) = document.fields(&one, "patch") {
            let names: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("  {name}  {}", field.about))
                .collect();
            let change = Arg::new("change")
                .value_name("FIELD=VALUE")
                .num_args(0..)
                .help("What is to be; null clears");
            let version = Arg::new("if_match")
                .long("if-match")
                .value_name("VERSION")
                .value_parser(clap::value_parser!(i64));
            let version = version.help("Only when its version still is this; `show` says it");
            let set = Command::new("set")
                .about("Change one")
                .after_help(format!("Fields:\n{}", names.join("\n")));
            command = command.subcommand(set.args([id(), change, from(), version]));
        }
        if document.operation(&one, "delete").is_some() {
            let yes = Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Do not ask");
            command = command.subcommand(Command::new(self.delete).about("Remove one").args([id(), yes]));
        }
        verbs::augment(self.name, command)
            .about(self.about)
            .long_about(None)
    }

    /// Runs its command.
    ///
    /// # Errors
    /// Those of the command.
    pub async fn run(&self, matches: &ArgMatches) -> Result<(), Exit> {
        let remote = Remote::from_arg_matches(matches)?;
        let Some((verb, under)) = matches.subcommand() else {
            return Err(Exit::new(2, "say what to do"));
        };
        let one = || {
            Ok::<_, Exit>(format!(
                "{}/{}",
                self.path,
                path_part(text(under, "id").unwrap_or_default())?
            ))
        };
        match verb {
            "list" => {
                remote
                    .list(self.path, self.columns, &Shown::from_arg_matches(under)?)
                    .await
            }
            "show" => {
                let answer: Value = remote.client()?.get(&one()?, &[]).await?;
                remote.record(self.columns, &answer)
            }
            "add" => self.add(&remote, under).await,
            "set" => self.set(&remote, &one()?, under).await,
            verb if verb == self.delete => {
                let words = format!(
                    "This {verb}s {} of {}.",
                    text(under, "id").unwrap_or_default(),
                    self.name
                );
                confirm(&words, under.get_flag("yes"))?;
                remote.client()?.delete(&one()?).await?;
                eprintln!("Done.");
                Ok(())
            }
            _ => verbs::run(self, matches, &remote).await,
        }
    }

    async fn add(&self, remote: &Remote, under: &ArgMatches) -> Result<(), Exit> {
        let fields = Document::new().fields(self.path, "post").unwrap_or_default();
        let mut body = read_object(text(under, "from"))?;
        for (name, field) in fields.iter().filter(|(_, field)| !field.secret) {
            if let Some(value) = text(under, &format!("/{name}")) {
                body.insert(name.clone(), field.read(value));
            }
        }
        assign(&mut body, &fields, under.get_many::<String>("set"))?;
        let answer: Value = remote.client()?.create(self.path, &body).await?;
        match answer["secret"].as_str() {
            Some(secret) => remote.secret(&verbs::ISSUED, &answer, secret),
            None => remote.record(self.columns, &answer),
        }
    }

    async fn set(&self, remote: &Remote, path: &str, under: &ArgMatches) -> Result<(), Exit> {
        let fields = Document::new().fields(&self.one(), "patch").unwrap_or_default();
        let mut body = read_object(text(under, "from"))?;
        assign(&mut body, &fields, under.get_many::<String>("change"))?;
        if body.is_empty() {
            return Err(Exit::new(2, "there is nothing to change").hint("write FIELD=VALUE, or give --from"));
        }
        let version = under.get_one::<i64>("if_match").copied();
        let answer: Value = remote.client()?.patch_version(path, &body, version).await?;
        remote.record(self.columns, &answer)
    }
}

/// The flag of a field.
fn flag((name, field): (String, Field)) -> Arg {
    let flag = Arg::new(format!("/{name}"))
        .long(name.replace('_', "-"))
        .help(field.about);
    flag.value_name(if field.text { "TEXT" } else { "JSON" })
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// An id, as a part of a path.
///
/// # Errors
/// When it is no number; the server would say that there is no such thing.
pub fn path_part(id: &str) -> Result<i64, Exit> {
    id.parse().map_err(|_| {
        Exit::new(
            2,
            format!("{id:?} is not an id: an id is a number; `list` shows them"),
        )
    })
}

fn read_object(from: Option<&str>) -> Result<Map<String, Value>, Exit> {
    let mut text = String::new();
    match from {
        None => return Ok(Map::new()),
        Some("-") => std::io::stdin().read_to_string(&mut text)?,
        Some(path) => std::fs::File::open(path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| Exit::new(2, format!("{path} cannot be read: {error}")))?,
    };
    // What serde says of a wrong type could quote a secret; the place is enough.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Exit::new(
            5,
            format!("the fields are not a JSON object: see line {line} column {column}"),
        )
    })
}

/// Puts `FIELD=VALUE` into a body.
fn assign<'a>(
    body: &mut Map<String, Value>,
    fields: &BTreeMap<String, Field>,
    pairs: Option<impl Iterator<Item = &'a String>>,
) -> Result<(), Exit> {
    for pair in pairs.into_iter().flatten() {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Exit::new(2, format!("{pair:?} is not understood: write FIELD=VALUE")))?;
        let field = fields.get(name);
        if field.is_some_and(|field| field.secret) && value != "null" {
            let hint = format!("give it as {{\"{name}\": \"...\"}} to --from - or --from FILE");
            return Err(Exit::new(
                2,
                format!("{name} is a secret, and arguments are seen by every user of a machine"),
            )
            .hint(hint));
        }
        let value = field.map_or_else(|| json_or_text(value), |field| field.read(value));
        body.insert(name.to_owned(), value);
    }
    Ok(())
}
