//! A real browser: headless Chromium, one process for the run, a private context for each test, driven over the DevTools
//! protocol. A test opens pages, clicks and fills by what people see, and fails on any error in the browser's console.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use muster_wire::Role;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use super::TestApp;

/// How long a page may take to show what is waited for. The machine may be busy; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// The address of the run's browser. It ends with this process, however that ends, and takes its profile along.
static BROWSER: LazyLock<String> = LazyLock::new(|| {
    let script = "
        profile=$(mktemp -d)
        trap '' INT TERM
        \"$0\" --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
            --disable-background-networking --disable-component-update --disable-sync --disable-extensions \
            --hide-scrollbars --force-color-profile=srgb --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
            --remote-debugging-port=0 --user-data-dir=\"$profile\" about:blank >&2 &
        read gone; kill -KILL $!; wait $!; rm -rf \"$profile\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, &chromium()]);
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    #[expect(
        clippy::zombie_processes,
        reason = "it ends after this process, and is what clears up behind it"
    )]
    let mut shell = shell.spawn().expect("sh starts");
    std::mem::forget(shell.stdin.take());
    let mut said = BufReader::new(shell.stderr.take().expect("it is piped")).lines();
    let address = said
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
        .expect("Chromium did not start: `make test` installs it");
    // What it says afterwards is read, so that it never waits for a reader.
    std::thread::spawn(move || said.for_each(drop));
    address
});

fn chromium() -> String {
    let named = std::env::var("MUSTER_CHROMIUM").ok();
    let known = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    named
        .or_else(|| {
            known
                .iter()
                .find(|path| std::path::Path::new(path).exists())
                .map(|path| (*path).to_owned())
        })
        .expect("no Chromium found: `make test` installs it, or MUSTER_CHROMIUM names it")
}

/// The size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 1360 by 860.
    Desktop,
    /// 360 by 740, touched.
    Phone,
}

/// A page in a context of its own: no cookies but those of its test.
pub struct Page {
    commands: mpsc::UnboundedSender<(Value, Option<oneshot::Sender<Value>>)>,
    next: AtomicU64,
    session: String,
    complaints: Arc<Mutex<Vec<String>>>,
    url: String,
    expected: Mutex<Vec<&'static str>>,
    scripts: AtomicBool,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Passes commands on and answers back, and notes what the page complains of.
async fn carry(
    mut socket: Socket,
    mut commands: mpsc::UnboundedReceiver<(Value, Option<oneshot::Sender<Value>>)>,
    complaints: Arc<Mutex<Vec<String>>>,
    origin: String,
) {
    let mut waiting: HashMap<u64, oneshot::Sender<Value>> = HashMap::new();
    loop {
        tokio::select! {
            command = commands.recv() => {
                let Some((command, answer)) = command else { return };
                if let (Some(id), Some(answer)) = (command["id"].as_u64(), answer) {
                    waiting.insert(id, answer);
                }
                if socket.send(Message::text(command.to_string())).await.is_err() { return }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Ok(text) = message.to_text() else { continue };
                let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
                if let Some(answer) = message["id"].as_u64().and_then(|id| waiting.remove(&id)) {
                    let _ = answer.send(message);
                } else if let Some(complaint) = complaint(&message, &origin) {
                    complaints.lock().expect("no holder panics").push(complaint);
                }
            }
        }
    }
}

/// What an event of the browser complains of. That pictures of other sites cannot be had here is no fault of the page.
fn complaint(event: &Value, origin: &str) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if matches!(params["type"].as_str(), Some("error" | "assert")) => {
            Some(params["args"].to_string())
        }
        "Log.entryAdded" => {
            let entry = &params["entry"];
            let elsewhere = entry["source"] == "network"
                && !entry["url"].as_str().unwrap_or_default().starts_with(origin);
            let error = entry["level"] == "error" && !elsewhere;
            error.then(|| format!("{} {}", entry["text"], entry["url"]))
        }
        _ => None,
    }
}

impl Page {
    /// A page of the server, with nobody signed in.
    pub async fn new(app: &TestApp) -> Self {
        Self::with(app, Window::Desktop).await
    }

    /// A page in a window of this size.
    pub async fn with(app: &TestApp, window: Window) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(&*BROWSER)
            .await
            .expect("the browser listens");
        let (commands, received) = mpsc::unbounded_channel();
        let complaints = Arc::default();
        tokio::spawn(carry(socket, received, Arc::clone(&complaints), app.url.clone()));
        let mut page = Self {
            commands,
            next: AtomicU64::new(1),
            session: String::new(),
            complaints,
            url: app.url.clone(),
            expected: Mutex::default(),
            scripts: AtomicBool::new(true),
        };
        let context = page
            .call("Target.createBrowserContext", json!({"disposeOnDetach": true}))
            .await;
        let target = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        let target = page.call("Target.createTarget", target).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = page.call("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await;
        }
        page.window(window).await;
        page
    }

    /// A page with somebody of this role signed in.
    pub async fn signed_in(app: &TestApp, role: Role) -> Self {
        let page = Self::new(app).await;
        page.sign_in(app, role).await;
        page
    }

    /// Signs somebody of this role in, without the detour over the form.
    pub async fn sign_in(&self, app: &TestApp, role: Role) {
        let cookie = app.session(role).await;
        let (name, value) = cookie.split_once('=').expect("a pair");
        let cookie = json!({
            "name": name, "value": value, "url": self.url, "path": "/", "secure": true, "httpOnly": true, "sameSite": "Lax"
        });
        self.call("Network.setCookie", cookie).await;
    }

    /// Sends a command of the protocol; gives its result.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        let (answer, answered) = oneshot::channel();
        self.commands
            .send((command, Some(answer)))
            .expect("the browser is connected");
        let answer = timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| panic!("{method}: no answer"))
            .expect("the browser is connected");
        assert!(
            answer["error"].is_null(),
            "{method} {params}: {}",
            answer["error"]
        );
        answer["result"].clone()
    }

    /// Makes the window this size.
    pub async fn window(&self, window: Window) {
        let (width, height, mobile) = match window {
            Window::Desktop => (1360, 860, false),
            Window::Phone => (360, 740, true),
        };
        self.width(width, height, mobile).await;
    }

    /// Makes the window so many pixels wide.
    pub async fn width(&self, width: u32, height: u32, mobile: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        self.call("Emulation.setTouchEmulationEnabled", json!({"enabled": mobile}))
            .await;
    }

    /// Lets pages be light or dark, and still: what fades in has no contrast yet.
    pub async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": value},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.call("Emulation.setEmulatedMedia", features).await;
    }

    /// Switches the page's own scripts off, from the next page on.
    pub async fn scripts_off(&self) {
        self.scripts.store(false, Ordering::Relaxed);
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": true}))
            .await;
    }

    /// Says that the test itself provokes this complaint.
    pub fn expect_complaint(&self, part: &'static str) {
        self.expected.lock().expect("no holder panics").push(part);
    }

    /// The value of an expression in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", params).await;
        assert!(
            result["exceptionDetails"].is_null(),
            "{}: {}",
            expression.chars().take(500).collect::<String>(),
            result["exceptionDetails"]
        );
        result["result"]["value"].clone()
    }

    /// As [`Page::eval`]; null while the page is being exchanged.
    async fn look(&self, expression: &str) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let command = json!({"id": id, "sessionId": self.session, "method": "Runtime.evaluate",
            "params": {"expression": expression, "returnByValue": true, "userGesture": true}});
        let (answer, answered) = oneshot::channel();
        self.commands
            .send((command, Some(answer)))
            .expect("the browser is connected");
        let answer = timeout(PATIENCE, answered).await.ok().and_then(Result::ok);
        answer.map_or(Value::Null, |answer| answer["result"]["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, what: impl Into<String>, expression: String) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let what = what.into();
        async move {
            let waited = timeout(PATIENCE, async {
                while self.look(&expression).await != true {
                    // The browser answers at once; it, too, needs time.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            if waited.await.is_err() {
                let text = self.look("document.body.innerText").await;
                let at = self.look("location.href").await;
                panic!(
                    "{caller}: {what}; at {at} there is:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
        }
    }

    /// Opens a page of the server, and waits until it is there.
    #[track_caller]
    pub fn open(&self, path: &str) -> impl Future<Output = ()> {
        let url = format!("{}{path}", self.url);
        let loaded = self.until("the page does not load", LOADED.to_owned());
        async move {
            let went = self.call("Page.navigate", json!({"url": url})).await;
            assert!(went["errorText"].is_null(), "{url}: {}", went["errorText"]);
            loaded.await;
        }
    }

    /// The address that is open, without the server's part.
    pub async fn at(&self) -> String {
        let at = self.eval("location.pathname + location.search").await;
        at.as_str().expect("text").to_owned()
    }

    /// Waits until the address begins with this.
    #[track_caller]
    pub fn arrives(&self, path: &str) -> impl Future<Output = ()> {
        self.until(
            format!("it does not come to {path}"),
            format!(
                "(location.pathname + location.search).startsWith({}) && {LOADED}",
                json!(path)
            ),
        )
    }

    /// Waits until this text is seen.
    #[track_caller]
    pub fn see(&self, text: &str) -> impl Future<Output = ()> {
        self.until(
            format!("{text:?} is not seen"),
            format!("document.body?.innerText.includes({})", json!(text)),
        )
    }

    /// Waits until this text is seen no more.
    #[track_caller]
    pub fn see_no(&self, text: &str) -> impl Future<Output = ()> {
        self.until(
            format!("{text:?} is still seen"),
            format!(
                "document.body && !document.body.innerText.includes({})",
                json!(text)
            ),
        )
    }

    /// Clicks what people know by this name: a button, a link, a box with its label. It must be seen, and nothing may lie over
    /// it. Found and clicked at once, so that nothing can be exchanged in between; what it opens is waited for.
    #[track_caller]
    pub fn click(&self, name: &str) -> impl Future<Output = ()> {
        let press = format!(
            "{LOADED} && (() => {{ const el = {find};
                if (!el) return false;
                el.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const box = el.getClientRects()[0];
                const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                if (!el.contains(above) && !above?.contains(el)) return false;
                document.muster_left = ({OPENS})(el, {scripts});
                el.focus();
                el.click();
                return true; }})()",
            find = find(name),
            scripts = self.scripts.load(Ordering::Relaxed),
        );
        let clicked = self.until(format!("there is no {name:?} to click"), press);
        let opened = self.until(
            format!("{name:?} opens nothing"),
            format!("{LOADED} && !document.muster_left && !document.body.classList.contains('busy')"),
        );
        async move {
            clicked.await;
            opened.await;
        }
    }

    /// Writes into the field with this label, instead of what is there.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) -> impl Future<Output = ()> {
        let field = format!(
            "[...document.querySelectorAll('{SCOPE} input, {SCOPE} textarea, {SCOPE} select')].find((el) =>
                el.getClientRects().length && (el.getAttribute('aria-label') === {0}
                || [...el.labels].some((label) => label.innerText.trim() === {0})))",
            json!(label)
        );
        let there = self.until(
            format!("there is no field {label:?}"),
            format!("{LOADED} && !!({field})"),
        );
        let text = text.to_owned();
        async move {
            there.await;
            let select = self
                .eval(&format!(
                    "(() => {{ const el = {field}; el.focus(); if (el.tagName === 'SELECT') {{
                       const option = [...el.options].find((o) => o.text.trim() === {0} || o.value === {0});
                       el.value = option?.value; el.dispatchEvent(new Event('change', {{bubbles: true}})); return true; }}
                       el.select?.(); return false; }})()",
                    json!(text)
                ))
                .await;
            if select == false {
                self.call("Input.insertText", json!({"text": text})).await;
            }
        }
    }

    /// Presses a key: one character, or the name of a key such as Enter.
    pub async fn press(&self, key: &str) {
        let text = if key.chars().count() == 1 {
            key
        } else if key == "Enter" {
            "\r"
        } else {
            ""
        };
        let code = if key == "Enter" { 13 } else { 0 };
        let down = json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", down).await;
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}))
            .await;
    }

    /// The picture of the whole page, or of the window, as PNG.
    pub async fn screenshot(&self, whole: bool) -> Vec<u8> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let shot = self
            .call(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": whole}),
            )
            .await;
        STANDARD
            .decode(shot["data"].as_str().expect("a picture"))
            .expect("base64")
    }

    /// Fails when axe-core finds a violation of WCAG 2.2 AA on the page that is open, in light or in dark, or when the page
    /// is wider than a phone of 320 pixels lets it be.
    #[track_caller]
    pub fn is_accessible(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let at = self.at().await;
            self.eval(&AXE).await;
            for dark in [false, true] {
                self.dark(dark).await;
                let found = self
                    .eval(
                        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
                            resultTypes: ['violations']}).then((r) => r.violations.map((v) =>
                            v.id + ': ' + v.help + '\\n' + v.nodes.map((n) => '  ' + n.html + '\\n  ' + n.failureSummary).join('\\n')))",
                    )
                    .await;
                let found = found.as_array().expect("a list");
                assert!(
                    found.is_empty(),
                    "{caller}: {at}, {}:\n{}",
                    if dark { "dark" } else { "light" },
                    found
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join("\n")
                );
            }
            self.dark(false).await;
            self.width(320, 640, true).await;
            let wide = self
                .eval(
                    "document.documentElement.scrollWidth <= 320 ? [] : [document.documentElement.scrollWidth, ...[...document.querySelectorAll('body *')]
                        .filter((el) => el.getBoundingClientRect().right > 320 && !el.closest('.scroll *'))
                        .map((el) => el.outerHTML.slice(0, 120))]",
                )
                .await;
            self.window(Window::Desktop).await;
            assert_eq!(
                wide,
                json!([]),
                "{caller}: {at} is wider than 320 pixels because of these"
            );
        }
    }

    /// As [`Page::is_accessible`], but where the page's scripts are off, and axe-core cannot run.
    #[track_caller]
    pub fn is_accessible_unless(&self, scripts_off: bool) -> impl Future<Output = ()> {
        let checked = self.is_accessible();
        async move {
            if !scripts_off {
                checked.await;
            }
        }
    }

    /// Waits until the page hears of what changes.
    #[track_caller]
    pub fn is_live(&self) -> impl Future<Output = ()> {
        self.until(
            "the stream does not open",
            "document.body.classList.contains('live')".to_owned(),
        )
    }

    /// That the page that was opened is small, without the files that all pages share.
    #[track_caller]
    pub fn is_small(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let bytes = self
                .eval("performance.getEntriesByType('navigation')[0].decodedBodySize")
                .await
                .as_u64()
                .expect("a number");
            let at = self.at().await;
            assert!(bytes < PAGE_BYTES_MAX, "{caller}: {at} has {bytes} bytes");
        }
    }

    /// Ends the test of a page: fails on anything that the browser complained of.
    #[track_caller]
    pub fn close(self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            // Answers come in order, so what was complained of before this is noted when it is answered.
            self.eval("1").await;
            let expected = self.expected.lock().expect("no holder panics").clone();
            let complaints = self.complaints.lock().expect("no holder panics").clone();
            let complaints: Vec<_> = complaints
                .into_iter()
                .filter(|complaint| !expected.iter().any(|part| complaint.contains(part)))
                .collect();
            assert!(
                complaints.is_empty(),
                "{caller}: the browser complains:\n{}",
                complaints.join("\n")
            );
        }
    }
}

/// axe-core, from its package; `scripts/setup --test` puts it there.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).expect("axe-core is missing: `make test` installs it") + "\ntrue"
});

/// The size of a page, without the files that all pages share.
const PAGE_BYTES_MAX: u64 = 100_000;

/// Whether the page is there whole.
const LOADED: &str = "document.readyState === 'complete' && location.href !== 'about:blank'";

/// Whether clicking this leads to another page: not where the page's script takes it, where a file comes, or where the form is
/// not filled in.
const OPENS: &str = "(el, scripts) => {
    const link = el.closest('a[href]');
    if (link) return !link.download && !link.hasAttribute('download') && !(link.getAttribute('href').includes('#') && link.pathname === location.pathname)
        && !(scripts && (link.dataset.swap || 'dialog' in link.dataset || ('cancel' in link.dataset && link.closest('dialog'))));
    return el.type === 'submit' && !!el.form && (el.form.noValidate || el.formNoValidate || el.form.checkValidity())
        && !(scripts && el.form.method === 'get' && el.form.dataset.swap);
}";

/// Where things are looked for: in the dialog that is open, else in the whole page.
const SCOPE: &str = ":is(dialog[open], body:not(:has(dialog[open])))";

/// The expression that finds what people know by a name.
fn find(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('{SCOPE} :is(a, button, summary, label, input[type=checkbox], input[type=radio], [role=button])')]
            .filter((el) => el.getClientRects().length && !el.disabled)
            .find((el) => [el.getAttribute('aria-label'), el.title, (() => {{ const copy = el.cloneNode(true);
                copy.querySelectorAll('kbd').forEach((kbd) => kbd.remove()); return copy.textContent; }})()]
                .some((text) => text?.replace(/\\s+/g, ' ').trim() === {}))",
        json!(name)
    )
}
