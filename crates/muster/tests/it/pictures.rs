//! Pictures that Muster keeps: uploaded, shown to whom they may be, once each, and no longer than content shows them.

use muster_wire::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{Answer, Caller, TestApp, browser::Page, value},
    work::claim,
};

/// The smallest PNG: one pixel.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

async fn upload(by: &Caller, model: i64, kind: &str, bytes: &[u8]) -> Answer {
    let path = format!("/v1/content/upload?model_id={model}&content_type={kind}");
    by.send(by.request(Method::POST, &path).body(bytes.to_vec()))
        .await
}

/// What is answered to who asks for a picture: the status, and the file.
async fn seen(by: &Caller, url: &str) -> (u16, Vec<u8>) {
    let response = by.request(Method::GET, url).send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.bytes().await.expect("a body").to_vec())
}

#[tokio::test]
async fn a_picture_is_shown_to_its_people_and_to_the_bot_that_holds_the_step_alone() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    app.run("delete from model_content where content_type = 'pfp'")
        .await;
    let made = upload(&app.owner, model, "pfp", PNG).await.expect(201);
    let url = made["image_url"].as_str().expect("an address").to_owned();
    assert!(url.starts_with("/v1/pictures/") && url.len() == 77, "{url}");
    for role in [Role::Viewer, Role::Reviewer, Role::Owner] {
        assert_eq!(seen(&app.person(role).await, &url).await, (200, PNG.to_vec()));
    }
    let response = app
        .owner
        .request(Method::GET, &url)
        .send()
        .await
        .expect("an answer");
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(header("cache-control"), "private, max-age=86400, immutable");
    assert!(header("content-disposition").starts_with("inline; filename=\""));
    let again = app
        .owner
        .request(Method::GET, &url)
        .header("if-none-match", header("etag"));
    assert_eq!(again.send().await.expect("an answer").status(), 304);

    let (_, stranger) = app.other_tenant().await;
    let (_, bot) = app.bot("worker").await;
    let (_, idle) = app.bot("idle").await;
    assert_eq!(seen(&Caller::new(&app.url, None), &url).await.0, 401);
    for nobody in [&stranger, &bot, &idle] {
        assert_eq!(seen(nobody, &url).await.0, 404);
    }
    let held = claim(&bot, 1).await;
    assert_eq!(held[0]["content"]["image_url"], url);
    assert_eq!(seen(&bot, &url).await, (200, PNG.to_vec()));
    assert_eq!(
        seen(&idle, &url).await.0,
        404,
        "another bot's step is not its own"
    );
    app.run("update work_queue set leased_until = now() - interval '1 second' where state = 'leased'")
        .await;
    assert_eq!(
        seen(&bot, &url).await.0,
        404,
        "a lease that ran out shows nothing"
    );
    for wrong in [
        "/v1/pictures/1",
        "/v1/pictures/..%2f",
        &url.to_uppercase().replace("/V1/PICTURES", "/v1/pictures"),
    ] {
        assert_eq!(seen(&app.owner, wrong).await.0, 404, "{wrong}");
    }
}

#[tokio::test]
async fn a_picture_is_kept_once_and_goes_with_the_last_that_shows_it() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    let kept = "select count(*) from pictures";
    let mut ids = Vec::new();
    for kind in ["pfp", "story", "post"] {
        let made = upload(&app.owner, model, kind, PNG).await.expect(201);
        ids.push((made["id"].clone(), made["image_url"].clone()));
    }
    assert_eq!(value::<i64>(&app, kept).await, 1);
    let (_, stranger) = app.other_tenant().await;
    assert_eq!(
        seen(&stranger, ids[0].1.as_str().expect("an address")).await.0,
        404
    );
    // It can be named where content is made, and imported; another one cannot.
    let new = |url: &Value| json!({"model_id": model, "content_type": "any", "image_url": url});
    let named = app.owner.post("/v1/content", new(&ids[0].1)).await.expect(201);
    let unknown = json!(format!("/v1/pictures/{}", "0".repeat(64)));
    let refused = app.owner.post("/v1/content", new(&unknown)).await;
    assert_eq!(refused.body["errors"][0]["code"], "unknown_picture");
    assert_eq!(refused.problem(422), "invalid");
    let exported = app.owner.get("/v1/exports/content").await.expect(200);
    let file = exported.as_str().expect("a file").to_owned();
    let wrong = format!("{file}Model 1,any,{},,false,0\n", unknown.as_str().expect("text"));
    let request = app
        .owner
        .request(Method::POST, "/v1/imports?kind=content")
        .body(wrong);
    let import = app.owner.send(request).await.expect(201);
    assert_eq!(
        (import["same_rows"].as_i64(), import["rejected_rows"].as_i64()),
        (Some(44), Some(1)),
        "{import}"
    );
    // It goes with the last of them, in whatever way that goes.
    app.owner
        .delete(&format!("/v1/content/{}", named["id"]))
        .await
        .expect(204);
    app.owner
        .delete(&format!("/v1/content/{}", ids[0].0))
        .await
        .expect(204);
    let elsewhere = json!({"image_url": "https://example.com/other.jpg"});
    app.owner
        .patch(&format!("/v1/content/{}", ids[1].0), elsewhere)
        .await
        .expect(200);
    assert_eq!(value::<i64>(&app, kept).await, 1);
    app.run(format!("delete from model_content where id = {}", ids[2].0))
        .await;
    assert_eq!(value::<i64>(&app, kept).await, 0);
}

#[tokio::test]
async fn what_is_no_picture_or_too_large_is_refused_whatever_it_is_called() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    for wrong in [
        &b""[..],
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"GIF89a",
        b"\x89PNG\r\n",
    ] {
        assert_eq!(
            upload(&app.owner, model, "post", wrong).await.problem(422),
            "invalid"
        );
    }
    let large = [PNG, &vec![0; 8 << 20]].concat();
    assert_eq!(
        upload(&app.owner, model, "post", &large).await.problem(413),
        "too_large"
    );
    let fits = [PNG, &vec![0; (8 << 20) - PNG.len()]].concat();
    upload(&app.owner, model, "post", &fits).await.expect(201);
    for damaged in [
        &PNG[..40],
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"RIFF\x10\0\0\0WEBPVP8 ",
    ] {
        let refused = upload(&app.owner, model, "post", damaged).await;
        assert_eq!(
            refused.body["errors"][0]["code"], "damaged_picture",
            "{damaged:?}"
        );
    }
    assert_eq!(upload(&app.owner, 99, "post", PNG).await.problem(422), "invalid");
    assert_eq!(
        value::<i64>(&app, "select count(*) from pictures").await,
        1,
        "what was refused left something"
    );
}

/// EXIF of a camera that lies on its side: its make, where it was, and that side 6 is up.
fn exif() -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [
            &tag.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &count.to_le_bytes(),
            &value.to_le_bytes(),
        ]
        .concat()
    };
    // Make and orientation, then where the GPS says it was, which is in a directory of its own.
    let main = [
        entry(0x010f, 2, 14, 80),
        entry(0x0112, 3, 1, 6),
        entry(0x8825, 4, 1, 50),
    ];
    let gps = [entry(0x001d, 2, 11, 96)];
    let mut tiff = b"II*\0\x08\0\0\0\x03\0".to_vec();
    tiff.extend(main.concat());
    tiff.extend([0; 4]);
    assert_eq!(tiff.len(), 50);
    tiff.extend(b"\x01\0");
    tiff.extend(gps.concat());
    tiff.extend([0; 4]);
    tiff.resize(80, 0);
    tiff.extend(b"CANARY-camera\0\0\0CANARY:11:26\0");
    tiff
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("short").to_be_bytes();
    let sum = crc32fast::hash(&[&kind[..], contents].concat()).to_be_bytes();
    [&length[..], kind, contents, &sum].concat()
}

/// A chunk of a WebP.
fn riff(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("short").to_le_bytes();
    let padding = if contents.len() % 2 == 1 { &[0][..] } else { &[] };
    [&kind[..], &length, contents, padding].concat()
}

/// A segment of a JPEG.
fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len() + 2).expect("short").to_be_bytes();
    [&[0xff, marker][..], &length, contents].concat()
}

const CANARY: &[u8] = b"CANARY";

fn has(file: &[u8], what: &[u8]) -> bool {
    file.windows(what.len()).any(|part| part == what)
}

#[tokio::test]
async fn what_a_file_says_beside_its_picture_is_not_kept_and_the_picture_is_as_it_was() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    // What a browser makes of a file: its size, and what is in it.
    let looks = async |file: &[u8]| {
        let bytes = serde_json::to_string(file).expect("JSON");
        page.eval(&format!(
            "(async () => {{ const image = await createImageBitmap(new Blob([new Uint8Array({bytes})]));
                const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
                const drawing = canvas.getContext('2d'); drawing.drawImage(image, 0, 0);
                const all = drawing.getImageData(0, 0, canvas.width, canvas.height).data;
                return [canvas.width, canvas.height, [...all].join()]; }})()"
        ))
        .await
    };
    page.open("/content/pictures").await;
    // Files that a browser makes, 12 by 8 pixels: dark at one end, so that it is seen which side is up.
    let made = async |kind: &str| {
        let bytes = page
            .eval(&format!(
                "(() => {{ const canvas = document.createElement('canvas'); canvas.width = 12; canvas.height = 8;
                    const drawing = canvas.getContext('2d'); drawing.fillStyle = '#fa5'; drawing.fillRect(0, 0, 12, 8);
                    drawing.fillStyle = '#012'; drawing.fillRect(0, 0, 4, 8);
                    return [...atob(canvas.toDataURL('{kind}', .9).split(',')[1])].map((c) => c.charCodeAt(0)); }})()"
            ))
            .await;
        serde_json::from_value::<Vec<u8>>(bytes).expect("bytes")
    };
    let (jpeg, png, webp) = (
        made("image/jpeg").await,
        made("image/png").await,
        made("image/webp").await,
    );
    assert_eq!(
        &jpeg[6..11],
        b"JFIF\0",
        "what a browser makes begins with that alone"
    );
    let beside = [&b"Exif\0\0"[..], &exif()].concat();
    let thumbnail = [&b"JFIF\0\x01\x01\0\0\x01\0\x01\x02\x01"[..], CANARY].concat();
    let jpeg_said = [
        &b"\xff\xd8"[..],
        &segment(0xe0, &thumbnail),
        &segment(0xe1, &beside),
        &segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", CANARY].concat()),
        &segment(0xe2, &[b"MPF\0", CANARY].concat()),
        &segment(0xed, CANARY),
        &segment(0xfe, CANARY),
        &jpeg[20..jpeg.len() - 2],
        &segment(0xfe, CANARY),
        b"\xff\xd9",
        CANARY,
    ]
    .concat();
    let text = [b"Comment\0", CANARY].concat();
    let png_said = [
        &png[..33],
        &chunk(b"eXIf", &exif()),
        &chunk(b"tEXt", &text),
        &chunk(b"iTXt", &text),
        &chunk(b"tIME", b"CANARY\0"),
        &chunk(b"prVt", CANARY),
        &png[33..],
        CANARY,
    ]
    .concat();
    // A browser's begins with its flags, which here say that EXIF and XMP follow.
    let mut flagged = webp[12..].to_vec();
    assert_eq!(&flagged[..4], b"VP8X");
    flagged[8] |= 0x0c;
    let inner = [
        flagged,
        riff(b"EXIF", &exif()),
        riff(b"XMP ", CANARY),
        riff(b"PRIV", CANARY),
    ]
    .concat();
    let webp_said = riff(b"RIFF", &[&b"WEBP"[..], &inner].concat());
    for (kind, plain, said) in [
        ("pfp", &jpeg, &jpeg_said),
        ("story", &png, &png_said),
        ("post", &webp, &webp_said),
    ] {
        let kept = upload(&app.owner, model, kind, said).await.expect(201);
        let kept = kept["image_url"].as_str().expect("an address");
        let (_, file) = seen(&app.owner, kept).await;
        assert!(has(said, CANARY) && !has(&file, CANARY), "{kind}: {file:?}");
        assert_eq!(looks(&file).await, looks(said).await, "{kind} looks as it did");
        let (upright, turned) = (looks(plain).await, looks(&file).await);
        assert_eq!((&upright[0], &upright[1]), (&json!(12), &json!(8)));
        if kind == "pfp" {
            assert_eq!(
                (&turned[0], &turned[1]),
                (&json!(8), &json!(12)),
                "it lay on its side"
            );
        }
        let again = upload(&app.owner, model, kind, &file).await.expect(201);
        assert_eq!(again["image_url"], kept, "there is nothing left to take away");
    }
    page.close().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_stored_by_nobody() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let mut db = app.superuser().await;
    for address in [
        "javascript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "http:///x",
        "https://exa mple.com",
        "/v1/pictures/1",
        "//example.com",
        "",
    ] {
        for (table, column) in [
            ("model_content", "image_url"),
            ("accounts", "profile_picture_url"),
        ] {
            let statement = format!("update {table} set {column} = $1 where id = 1");
            let stored = sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(address)
                .execute(&mut db)
                .await;
            let refused = stored.expect_err("it is refused").to_string();
            assert!(refused.contains("check constraint"), "{address}: {refused}");
        }
    }
}

#[tokio::test]
async fn several_pictures_are_uploaded_from_the_page_or_none() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    // Files as a person chooses them; what is in the second is no picture in the first round.
    let choose = |second: &str| {
        let png: Vec<String> = PNG.iter().map(u8::to_string).collect();
        format!(
            "(() => {{ const all = new DataTransfer(), png = [{}];
                all.items.add(new File([new Uint8Array(png)], 'one.png')); all.items.add(new File([{second}], '<b>two</b>.png'));
                document.querySelector('#pictures').files = all.files; }})()",
            png.join(",")
        )
    };
    for scripts in [true, false] {
        app.run("delete from model_content").await;
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/content/pictures/new").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Upload").await;
        page.see("choose one picture, or several").await;
        page.fill("What they are for", "Stories").await;
        page.fill("Text with each", "a <b>kept</b> picture").await;
        page.eval(&choose("'<svg/>'")).await;
        page.click("Upload").await;
        page.see("<b>two</b>.png: this is no JPEG, PNG or WebP picture")
            .await;
        assert_eq!(
            page.eval("document.querySelector('#upload-text').value").await,
            json!("a <b>kept</b> picture")
        );
        page.is_accessible_unless(!scripts).await;
        assert_eq!(value::<i64>(&app, "select count(*) from pictures").await, 0);
        page.eval(&choose("new Uint8Array(png), '-'")).await;
        page.click("Upload").await;
        page.see("has 2 pictures more.").await;
        page.see("stories").await;
        page.until(
            "a picture is not shown",
            "[...document.images].some((i) => i.src.includes('/v1/pictures/') && i.naturalWidth === 1)"
                .to_owned(),
        )
        .await;
        page.is_accessible_unless(!scripts).await;
        assert_eq!(
            value::<i64>(
                &app,
                "select count(*) from model_content where picture is not null"
            )
            .await,
            2
        );
        page.close().await;
    }
}
