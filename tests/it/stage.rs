//! A daemon that only plays one: the real sockets, a script behind them.

use pydio_sync::adapters::zmtp::{Options, Sockets};
use pydio_sync::ports::{Command, CommandSource, Message, Publisher};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A result, or an error's code and message.
pub(crate) type Answer = Result<Value, (i64, &'static str)>;

/// What was asked: methods with their parameters.
type Notes = Arc<Mutex<Vec<(String, Value)>>>;

/// Answers from a script and notes what it was asked; gone when dropped.
pub(crate) struct Stage {
    asked: Notes,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Opens ports and tells of them in a state folder. `news` gives what to publish
    /// next, again and again, while somebody wants what the topic says.
    pub(crate) fn new(
        state: &Path,
        answer: impl Fn(&str, &Value) -> Answer + Send + 'static,
        topic: &'static str,
        news: impl FnMut() -> Vec<Message> + Send + 'static,
    ) -> Self {
        let asked = Notes::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let (notes, over, state) = (Arc::clone(&asked), Arc::clone(&is_over), state.to_owned());
        let (opened, is_open) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let sockets = Sockets::bind(Options::default()).expect("ports");
                let note = json!({
                    "v": 1, "pid": std::process::id(), "since": 0, "version": "0.1.0",
                    "publish": format!("tcp://127.0.0.1:{}", sockets.port),
                    "commands": format!("tcp://127.0.0.1:{}", sockets.port + 1),
                });
                std::fs::write(state.join("ports.json"), note.to_string()).expect("ports.json");
                opened.send(()).expect("the test waits");
                play(sockets, answer, &notes, topic, news, &over).await;
            });
        });
        is_open.recv().expect("the ports are open");
        Self {
            asked,
            is_over,
            thread: Some(thread),
        }
    }

    /// The parameters of all calls of a method.
    pub(crate) fn asked(&self, method: &str) -> Vec<Value> {
        let asked = self.asked.lock().expect("notes");
        let ours = asked.iter().filter(|(name, _)| name == method);
        ours.map(|(_, params)| params.clone()).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn play(
    mut sockets: Sockets,
    answer: impl Fn(&str, &Value) -> Answer,
    notes: &Notes,
    topic: &str,
    mut news: impl FnMut() -> Vec<Message>,
    over: &AtomicBool,
) {
    let moment = Duration::from_millis(2);
    while !over.load(Ordering::Acquire) {
        if let Ok(Some(command)) = tokio::time::timeout(moment, sockets.commands.next()).await {
            reply(command, &answer, notes);
        }
        if sockets.publisher.is_wanted(topic) {
            for message in news() {
                sockets.publisher.publish(message).await;
            }
        }
    }
}

fn reply(command: Command, answer: impl Fn(&str, &Value) -> Answer, notes: &Notes) {
    let request: Value = serde_json::from_slice(&command.body).expect("JSON");
    let method = request["method"].as_str().expect("a method").to_owned();
    let mut body = json!({"jsonrpc": "2.0", "id": request["id"]});
    match answer(&method, &request["params"]) {
        Ok(result) => body["result"] = result,
        Err((code, message)) => body["error"] = json!({"code": code, "message": message}),
    }
    let mut notes = notes.lock().expect("notes");
    notes.push((method, request["params"].clone()));
    command.reply.send(body.to_string().into_bytes());
}
