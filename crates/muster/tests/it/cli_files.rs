//! Imports and exports on the command line: what is shown, what is stored, and what it ends with.

use std::path::{Path, PathBuf};

use crate::{
    cli::{lines, muster, muster_reads},
    support::{TestApp, value},
};

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .display()
        .to_string()
}

/// Imports the sample files, good rows only.
pub async fn import_examples(app: &TestApp) {
    for (kind, name) in [
        ("models", "models.csv"),
        ("proxies", "proxies.csv"),
        ("proxies", "proxies-list.txt"),
        ("proxies", "proxies-entry-points.csv"),
        ("content", "content.csv"),
        ("texts", "texts.csv"),
        ("accounts", "accounts.csv"),
    ] {
        muster(app, &["import", kind, &example(name), "--good-rows"])
            .await
            .expect(0);
    }
}

#[tokio::test]
async fn an_import_shows_what_is_wrong_and_stores_the_good_rows_when_told_to() {
    let app = TestApp::start().await;
    muster(&app, &["import", "models", &example("models.csv")])
        .await
        .expect(0);
    let file = example("accounts-campus.txt");
    let shown = muster(&app, &["import", "accounts", &file]).await;
    assert!(
        shown.err.contains("3 rows have faults; nothing was stored"),
        "{}",
        shown.err
    );
    assert!(
        shown.err.contains("hint: mend them, or give --good-rows"),
        "{}",
        shown.err
    );
    insta::assert_snapshot!(shown.expect(5), @r"
    UTF-16LE with a byte order mark, a spreadsheet, cells between tabs, header on line 1, dates with the year first

    NEW  CHANGED  SAME  REJECTED
    120        0     0         3

    LINE  COLUMN    VALUE        WHAT IS WRONG, AND WHAT TO DO
      32  username  bath_quiz.   a handle neither begins nor ends with a full stop: correct it
      68  username  bаth_quiz    holds `а` (U+0430), which is not in the alphabet of handles though it may look so: type it again
     100  birthday  last spring  this is no date between 1900 and 2199: write it as 2026-04-03, with a year of four digits
    ");
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);
    assert!(
        muster(&app, &["import", "accounts", &file, "--dry-run"])
            .await
            .refused(5)
            .contains("faults")
    );
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);

    let folder = tempfile::tempdir().expect("a folder");
    let rejected = folder.path().join("rejected.txt");
    let to = rejected.display().to_string();
    let args = [
        "import",
        "accounts",
        &file,
        "--good-rows",
        "--rejected",
        &to,
        "--json",
    ];
    let stored = lines(&muster(&app, &args).await.expect(0));
    assert_eq!((stored.len(), &stored[0]["state"]), (1, &"committed".into()));
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 120);
    assert_eq!(mode(&rejected), 0o600);
    let again = muster(&app, &["import", "accounts", &to, "--json"]).await;
    assert_eq!(lines(&again.expect(5))[0]["rejected_rows"], 3);

    let id = stored[0]["id"].to_string();
    let undone = muster(&app, &["import", "undo", &id]).await.expect(0);
    insta::assert_snapshot!(undone, @r"
    REMOVED  RESTORED  KEPT
        120         0     0
    ");
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);
    muster(&app, &["import", "undo", &id]).await.refused(4);
    let listed = muster(&app, &["import", "list", "state:undone", "--json"])
        .await
        .expect(0);
    assert_eq!(lines(&listed).len(), 1);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_exported_imports_again_as_the_same_even_through_a_pipe() {
    let app = TestApp::start().await;
    import_examples(&app).await;
    for kind in ["models", "proxies", "content", "texts", "accounts"] {
        let file = muster(&app, &["export", kind]).await.expect(0);
        let again = muster_reads(&app, &["import", kind, "-", "--json"], &file).await;
        assert!(again.err.contains("There is nothing to store"), "{}", again.err);
        let import = &lines(&again.expect(0))[0];
        assert_eq!(import["new_rows"], 0, "{import}");
        assert_eq!(import["changed_rows"], 0, "{import}");
        assert_ne!(import["same_rows"], 0, "{import}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("proxies.csv");
    let to = path.display().to_string();
    muster(&app, &["export", "proxies", "--secrets", "-o", &to])
        .await
        .expect(0);
    assert_eq!(mode(&path), 0o600);
    assert!(
        std::fs::read_to_string(&path)
            .expect("a file")
            .contains("not-a-real-secret")
    );
}

#[tokio::test]
async fn options_say_how_to_read_a_file() {
    let app = TestApp::start().await;
    muster(&app, &["models", "add", "--name", "Northside"])
        .await
        .expect(0);
    let file = "who|mail\nana.one|ana@example.com\n";
    let option = r#"mapping={"who":"username","mail":"email"}"#;
    let args = [
        "import",
        "accounts",
        "-",
        "--option",
        "delimiter=|",
        "--option",
        "default_model=Northside",
        "--option",
        option,
    ];
    muster_reads(&app, &args, file).await.expect(0);
    assert_eq!(
        value::<i64>(&app, "select count(*) from accounts where model_id is not null").await,
        1
    );
    assert!(
        muster_reads(&app, &["import", "accounts", "-", "--option", "colour=red"], file)
            .await
            .refused(5)
            .contains("colour")
    );
}

#[tokio::test]
async fn a_file_is_read_again_otherwise_and_pictures_are_uploaded() {
    let app = TestApp::start().await;
    muster(&app, &["models", "add", "--name", "Northside"])
        .await
        .expect(0);
    let unread = muster_reads(&app, &["import", "texts", "-"], "type,words\nbio,tea\n").await;
    assert!(unread.refused(5).contains("there is no column `text_content`"));
    let mapping = r#"mapping={"words":"text_content"}"#;
    let args = [
        "imports",
        "read",
        "1",
        "--option",
        mapping,
        "--option",
        "default_model=Northside",
    ];
    let read = muster(&app, &args).await.expect(0);
    assert!(read.contains("staged"), "{read}");
    assert_eq!(value::<i64>(&app, "select new_rows from imports").await, 1);

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("one.png"), crate::pictures::PNG).expect("a file");
    std::fs::write(path("two.png"), "no picture").expect("a file");
    let upload = |name| ["content", "upload", "--model", "1", "--type", "post", name];
    let one = path("one.png");
    let made = muster(&app, &upload(&one)).await.expect(0);
    assert!(made.contains("/v1/pictures/"), "{made}");
    let two = path("two.png");
    assert!(
        muster(&app, &upload(&two))
            .await
            .refused(5)
            .contains("no JPEG, PNG or WebP")
    );
    assert_eq!(value::<i64>(&app, "select count(*) from pictures").await, 1);
}
