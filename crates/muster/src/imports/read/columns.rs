//! The fields of each kind of file, the names people give them, and which column of a file is which field.

use super::{Column, Dialect, Fault, Kind, Options};

/// A field of a kind of file.
pub(super) struct Field {
    /// Its name, which exports use.
    pub name: &'static str,
    /// Other names it goes by, as [`normal`] has them.
    synonyms: &'static [&'static str],
    /// Whether a file without it, and without an option that supplies it, is refused.
    required: bool,
    /// Whether its values may never be shown.
    pub secret: bool,
}

const fn field(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field {
        name,
        synonyms,
        required: false,
        secret: false,
    }
}

const fn required(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field {
        name,
        synonyms,
        required: true,
        secret: false,
    }
}

const fn secret(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field {
        name,
        synonyms,
        required: false,
        secret: true,
    }
}

const MODEL_NAMES: &[&str] = &["brand", "client", "creator", "modelname", "brandname", "customer"];

const ACCOUNTS: &[Field] = &[
    required(
        "username",
        &[
            "handle",
            "account",
            "accountname",
            "user",
            "login",
            "instagram",
            "instagramhandle",
            "instagramusername",
            "instagramaccount",
            "ighandle",
            "igusername",
            "ig",
            "profile",
            "profileurl",
            "profilelink",
            "instagramurl",
        ],
    ),
    required(
        "email",
        &[
            "mail",
            "emailaddress",
            "owneremail",
            "accountemail",
            "contactemail",
            "mailaddress",
        ],
    ),
    field("model", MODEL_NAMES),
    field("status", &["accountstatus"]),
    field(
        "authorisation_basis",
        &[
            "authorizationbasis",
            "authorisation",
            "authorization",
            "basis",
            "consent",
        ],
    ),
    field(
        "authorisation_reference",
        &[
            "authorizationreference",
            "reference",
            "contract",
            "contractreference",
            "contractnumber",
        ],
    ),
    field(
        "authorisation_expires_at",
        &[
            "authorizationexpiresat",
            "authorisationexpires",
            "authorizationexpires",
            "authorisationexpiry",
            "authorizationexpiry",
            "authoriseduntil",
            "authorizeduntil",
            "contractend",
            "contractends",
            "validuntil",
        ],
    ),
    secret(
        "password",
        &["pass", "pwd", "passwd", "accountpassword", "instagrampassword"],
    ),
    secret("access_token", &["token", "apitoken", "graphtoken", "oauthtoken"]),
    field("bio", &["biography", "description"]),
    field(
        "profile_picture_url",
        &[
            "profilepicture",
            "pfp",
            "pfpurl",
            "avatar",
            "avatarurl",
            "picture",
            "pictureurl",
        ],
    ),
    field("location_city", &["city", "town"]),
    field("location_campus", &["campus", "university", "school"]),
    field("location_niche", &["niche", "topic", "category"]),
    field("birthday", &["birthdate", "dateofbirth", "dob", "born"]),
    field("device_info", &["device"]),
    field("content_type", &["contenttypes", "typeofcontent"]),
    field("lifecycle_state", &["lifecycle", "state"]),
];

const PROXIES: &[Field] = &[
    field("scheme", &["protocol", "type", "proto", "proxytype"]),
    required(
        "host",
        &[
            "ip",
            "ipaddress",
            "address",
            "proxyaddress",
            "server",
            "hostname",
            "entrypoint",
            "endpoint",
            "proxy",
        ],
    ),
    required("port", &["proxyport"]),
    field("username", &["user", "login", "proxyusername", "proxyuser"]),
    secret("password", &["pass", "pwd", "passwd", "proxypassword"]),
    field("exit_ip", &["assignedip", "externalip", "publicip", "outgoingip"]),
    field("provider", &["vendor", "supplier"]),
    field("location", &["country", "countrycode", "geo"]),
    field(
        "monthly_cost",
        &["cost", "price", "monthlyprice", "costpermonth", "pricepermonth"],
    ),
    field("status", &["proxystatus"]),
    field("model", MODEL_NAMES),
    field("max_accounts", &["maximumaccounts", "capacity", "slots"]),
];

const MODELS: &[Field] = &[
    required(
        "name",
        &["model", "brand", "client", "creator", "modelname", "brandname"],
    ),
    field("description", &["about", "notes"]),
    field("status", &["modelstatus"]),
    field("unfollow_ratio", &[]),
    field("daily_follow_limit", &["followlimit"]),
    field("posting_schedule", &["schedule"]),
    field("people_steps", &["stepsforpeople", "manualsteps"]),
];

const CONTENT: &[Field] = &[
    required("model", MODEL_NAMES),
    required("content_type", &["type", "kind", "format"]),
    required(
        "image_url",
        &[
            "image",
            "url",
            "imagelink",
            "media",
            "mediaurl",
            "picture",
            "pictureurl",
            "imageurls",
        ],
    ),
    field("text_content", &["text", "caption", "content", "message"]),
    field("is_template", &["template"]),
    field("order_priority", &["priority", "order", "position", "rank"]),
];

const TEXTS: &[Field] = &[
    required("model", MODEL_NAMES),
    required("content_type", &["type", "kind", "format"]),
    required("text_content", &["text", "caption", "content", "message", "post"]),
    field("is_template", &["template"]),
];

/// Columns of mailbox passwords: they are only found in lists of bought accounts.
const MAILBOX_PASSWORDS: &[&str] = &[
    "mailpassword",
    "emailpassword",
    "mailpass",
    "emailpass",
    "mailpwd",
    "emailpwd",
    "passwordmail",
    "passwordemail",
    "passmail",
    "passemail",
    "mailboxpassword",
    "mailpasswd",
    "emailpasswd",
    "emailpw",
    "mailpw",
];
/// Columns of what gets past a sign-in: never read, never kept.
const SIGN_IN_PARTS: &[&str] = &[
    "2fa",
    "totp",
    "otp",
    "otpsecret",
    "twofactor",
    "2faseed",
    "2fasecret",
    "cookies",
    "cookie",
    "session",
    "backupcodes",
];

const BITWARDEN: &[&str] = &[
    "folder",
    "favorite",
    "type",
    "name",
    "notes",
    "fields",
    "reprompt",
    "loginuri",
    "loginusername",
    "loginpassword",
    "logintotp",
];
const DASHLANE: &[&str] = &[
    "username",
    "username2",
    "username3",
    "title",
    "password",
    "note",
    "url",
    "category",
    "otpsecret",
];
const LASTPASS: &[&str] = &[
    "url", "username", "password", "totp", "extra", "name", "grouping", "fav",
];
const OXYLABS: &[&str] = &["entrypoint", "port", "country", "ispasn", "assignedip"];

/// The fields of `kind`, in the order in which they are written.
pub(super) fn fields(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Accounts => ACCOUNTS,
        Kind::Proxies => PROXIES,
        Kind::Models => MODELS,
        Kind::Content => CONTENT,
        Kind::Texts => TEXTS,
    }
}

/// The position of the field `name` of `kind`.
pub(super) fn position(kind: Kind, name: &str) -> Option<usize> {
    fields(kind).iter().position(|field| field.name == name)
}

/// A column's name without case, spaces and punctuation.
pub(super) fn normal(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn recognise(kind: Kind, header: &str) -> Option<usize> {
    let header = normal(header);
    fields(kind)
        .iter()
        .position(|field| normal(field.name) == header || field.synonyms.contains(&header.as_str()))
}

/// How many cells of a row are names of columns of this kind of file.
pub(super) fn recognised(kind: Kind, row: &[String]) -> usize {
    let dialect = usize::from(dialect(kind, row) != Dialect::Spreadsheet);
    dialect + row.iter().filter(|cell| recognise(kind, cell).is_some()).count()
}

/// Whether a header names the password of a mailbox.
pub(super) fn has_mailbox_password(header: &[String]) -> bool {
    header
        .iter()
        .any(|cell| MAILBOX_PASSWORDS.contains(&normal(cell).as_str()))
}

/// The dialect of a table by its header.
pub(super) fn dialect(kind: Kind, header: &[String]) -> Dialect {
    let names: Vec<String> = header
        .iter()
        .map(|cell| normal(cell))
        .filter(|name| !name.is_empty())
        .collect();
    let all_of = |expected: &[&str]| {
        expected
            .iter()
            .all(|name| names.iter().any(|given| given == name))
    };
    match kind {
        Kind::Accounts if all_of(BITWARDEN) => Dialect::Bitwarden,
        Kind::Accounts if all_of(DASHLANE) => Dialect::Dashlane,
        Kind::Accounts if all_of(LASTPASS) => Dialect::Lastpass,
        Kind::Proxies if all_of(OXYLABS) => Dialect::OxylabsCsv,
        _ if !header.is_empty() && header.iter().all(|cell| position(kind, cell.trim()).is_some()) => {
            Dialect::Canonical
        }
        _ => Dialect::Spreadsheet,
    }
}

/// Where the cells of a row go.
pub(super) struct Columns {
    /// What people are shown, one for each column.
    pub shown: Vec<Column>,
    /// For each column, the position of its field.
    pub targets: Vec<Option<usize>>,
    /// For an export of a password manager: the columns that may hold a handle or an e-mail address, and the site's.
    pub logins: Option<(Vec<usize>, usize)>,
}

/// Maps `header`, or `width` nameless columns, to the fields of `kind`; and says what is wrong with it.
pub(super) fn map(
    kind: Kind,
    header: Option<&[String]>,
    width: usize,
    options: &Options,
) -> (Columns, Vec<Fault>) {
    if let Some(header) = header
        && let Some(columns) = password_manager(kind, header)
    {
        let fault = Fault::file(
            "mapping_not_possible",
            "the columns of a password manager's export cannot be mapped: \
            leave the mapping out, or make a table with a header of your own",
        );
        return (
            columns,
            if options.mapping.is_empty() {
                Vec::new()
            } else {
                vec![fault]
            },
        );
    }
    let nameless = vec![String::new(); width];
    let names = header.unwrap_or(&nameless);
    let mut faults = unknown_mappings(kind, names, options);
    let mut columns = Columns {
        shown: Vec::new(),
        targets: Vec::new(),
        logins: None,
    };
    for (index, name) in names.iter().enumerate() {
        let (target, ignored) = target(kind, index, name, options);
        columns.shown.push(Column {
            number: index + 1,
            header: name.trim().to_owned(),
            field: target.map(|target| fields(kind)[target].name.to_owned()),
            ignored,
        });
        columns.targets.push(target);
    }
    faults.extend(duplicates(kind, &columns));
    faults.extend(missing(kind, &columns, options));
    (columns, faults)
}

/// The field of one column, or why it has none.
fn target(kind: Kind, index: usize, name: &str, options: &Options) -> (Option<usize>, Option<String>) {
    let chosen = options.mapping.get(&(index + 1).to_string()).or_else(|| {
        let mut same = options
            .mapping
            .iter()
            .filter(|(given, _)| !name.is_empty() && normal(given) == normal(name));
        same.next().map(|(_, field)| field)
    });
    let found = match chosen {
        Some(field) if field.is_empty() => return (None, Some("the mapping says to ignore it".into())),
        Some(field) => position(kind, field),
        None => recognise(kind, name),
    };
    let normal = normal(name);
    if kind == Kind::Accounts && SIGN_IN_PARTS.contains(&normal.as_str()) {
        return (
            None,
            Some("Muster never keeps second factors, cookies or sessions from a file".into()),
        );
    }
    match found.map(|found| fields(kind)[found].name) {
        Some("lifecycle_state") => (
            None,
            Some("the lifecycle is kept by Muster and never imported".into()),
        ),
        Some(_) => (found, None),
        None if normal.is_empty() => (None, Some("it has no name".into())),
        None => (
            None,
            Some(format!(
                "no field of {} has this name; map it if it should be read",
                kind.name()
            )),
        ),
    }
}

fn unknown_mappings(kind: Kind, names: &[String], options: &Options) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (column, field) in &options.mapping {
        if !field.is_empty() && position(kind, field).is_none() {
            let known: Vec<&str> = kind.columns().collect();
            let message = format!(
                "the mapping names the field `{field}`; {} have {}",
                kind.name(),
                known.join(", ")
            );
            faults.push(Fault::new("mapping", "mapping_unknown_field", message));
        }
        let by_number = column
            .parse()
            .is_ok_and(|number: usize| (1..=names.len()).contains(&number));
        if !by_number
            && !names
                .iter()
                .any(|name| !name.is_empty() && normal(name) == normal(column))
        {
            let message = format!("the mapping names the column `{column}`, which the file does not have");
            faults.push(Fault::new("mapping", "mapping_unknown_column", message));
        }
    }
    faults
}

fn duplicates(kind: Kind, columns: &Columns) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (position, field) in fields(kind).iter().enumerate() {
        let same: Vec<&Column> = columns
            .shown
            .iter()
            .zip(&columns.targets)
            .filter(|(_, t)| **t == Some(position))
            .map(|(c, _)| c)
            .collect();
        if same.len() > 1 {
            faults.push(duplicate(&same, &format!("are both read as `{}`", field.name)));
        }
    }
    let unread: Vec<&Column> = columns
        .shown
        .iter()
        .filter(|column| column.field.is_none())
        .collect();
    for (index, column) in unread.iter().enumerate() {
        let mapped_away = column
            .ignored
            .as_deref()
            .is_some_and(|reason| reason.starts_with("the mapping"));
        let name = normal(&column.header);
        let earlier = unread[..index]
            .iter()
            .find(|earlier| normal(&earlier.header) == name);
        if let Some(earlier) = earlier
            && !name.is_empty()
            && !mapped_away
        {
            faults.push(duplicate(&[earlier, column], "have the same name"));
        }
    }
    faults
}

fn duplicate(same: &[&Column], what: &str) -> Fault {
    let numbers: Vec<String> = same
        .iter()
        .map(|column| format!("{} (`{}`)", column.number, column.header))
        .collect();
    let message = format!(
        "columns {} {what}: rename or remove one, or map one to nothing by its number",
        numbers.join(" and ")
    );
    Fault::new(same[0].header.clone(), "column_duplicate", message)
}

fn missing(kind: Kind, columns: &Columns, options: &Options) -> Vec<Fault> {
    let supplied = |name: &str| match name {
        "model" => options.default_model.is_some(),
        "email" => options.default_email.is_some(),
        // A column of hosts may hold whole proxies: whether a port is missing is seen row by row.
        "port" => true,
        _ => false,
    };
    let absent = |position: usize| !columns.targets.contains(&Some(position));
    fields(kind)
        .iter()
        .enumerate()
        .filter(|(position, field)| field.required && absent(*position) && !supplied(field.name))
        .map(|(_, field)| {
            let or = if matches!(field.name, "model" | "email") {
                ", or give a default for all rows"
            } else {
                ""
            };
            let message = format!(
                "there is no column `{}`: add it, or map one of the file's columns to it{or}",
                field.name
            );
            Fault::new(field.name, "column_missing", message)
        })
        .collect()
}

fn password_manager(kind: Kind, header: &[String]) -> Option<Columns> {
    let (logins, site): (&[&str], &str) = match dialect(kind, header) {
        Dialect::Bitwarden => (&["loginusername"], "loginuri"),
        Dialect::Dashlane => (&["username", "username2", "username3"], "url"),
        Dialect::Lastpass => (&["username"], "url"),
        _ => return None,
    };
    let find = |name: &str| header.iter().position(|cell| normal(cell) == name);
    let shown = header.iter().enumerate().map(|(index, name)| {
        let normal = normal(name);
        let read = logins.contains(&normal.as_str());
        let reason = if normal == site {
            "read only to find the entries of instagram.com"
        } else {
            "passwords, second factors and notes of a password manager stay where they are"
        };
        Column {
            number: index + 1,
            header: name.trim().to_owned(),
            field: read.then(|| "username".to_owned()),
            ignored: (!read).then(|| reason.to_owned()),
        }
    });
    Some(Columns {
        shown: shown.collect(),
        targets: vec![None; header.len()],
        logins: Some((logins.iter().filter_map(|name| find(name)).collect(), find(site)?)),
    })
}
