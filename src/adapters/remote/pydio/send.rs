//! Content on its way to the server, in the form that it wants.
//!
//! In: a content, or bytes. Out: the server's answer. Invariant: as told by
//! `adapters/http`. Deliberately absent: what the answer means (`put`).

use super::http::{Answer, Call, Effect, Extra, Http, Places, lost, read};
use super::names::encode;
use super::stat::Md5;
use crate::adapters::http::{Content, Load, answer_wait, body, silent};
use crate::ports::PortResult;
use bytes::Bytes;
use journal_format::value::Digest;
use reqwest::Body;
use std::time::Duration;

/// Returns the bytes of an MD5.
pub(crate) const fn md5(digest: &Digest) -> Option<Md5> {
    match digest {
        Digest::Md5(bytes) => Some(*bytes),
        Digest::Blake3(_) | Digest::Sha1(_) => None,
    }
}

/// The form around a piece of content.
pub(super) struct Form {
    kind: String,
    head: Bytes,
    tail: Bytes,
}

impl Form {
    /// Makes the form of an upload; `mark` is part of the line between its fields.
    pub(super) fn new(fields: &[(&str, String)], mark: &str) -> Self {
        let line = format!("pydio-sync-{mark}");
        let mut head = String::new();
        for (name, value) in fields {
            head.push_str(&format!(
                "--{line}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        head.push_str(&format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"userfile_0\"; filename=\"content\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        ));
        Self {
            kind: format!("multipart/form-data; boundary={line}"),
            head: head.into(),
            tail: format!("\r\n--{line}--\r\n").into(),
        }
    }

    fn length(&self, content: u64) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + content
    }
}

/// The fields of an upload under a name.
pub(super) fn fields(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("force_post", "true".to_owned()),
        ("xhr_uploader", "true".to_owned()),
        ("urlencoded_filename", encode(name)),
    ]
}

/// Sends content that is all there, in places that are waited for or held.
pub(super) async fn send_bytes(
    http: &Http,
    call: &Call,
    extra: &Extra<'_>,
    (form, content): (&Form, &[u8]),
    places: Places,
) -> PortResult<Answer> {
    let body = [&form.head, content, &form.tail].concat();
    let length = form.length(content.len() as u64);
    let request = http.upload(call, extra, (&form.kind, length), Body::from(body));
    let wait = answer_wait(http.timeout) + Duration::from_secs(length / SLOW_BYTES_PER_S);
    let bytes_max = call.bytes_max;
    let sent = http.wire.run(async move {
        match places.send(request, wait).await {
            Some(Ok(reply)) => read(reply, bytes_max, Effect::Writes).await,
            Some(Err(error)) => Err(lost(error, Effect::Writes)),
            None => Err(silent(Effect::Writes)),
        }
    });
    sent.await
}

/// Sends the next `length` bytes of a content.
pub(super) async fn send_stream(
    http: &Http,
    call: &Call,
    extra: &Extra<'_>,
    form: &Form,
    content: &mut Content<'_>,
    length: u64,
) -> PortResult<Answer> {
    let (body, feeder) = body();
    let total = form.length(length);
    let permits = http.places(true, extra).take().await;
    let request = http.upload(call, extra, (&form.kind, total), body);
    let load = Load {
        head: form.head.clone(),
        content,
        length,
        tail: form.tail.clone(),
    };
    let request = (request, permits);
    let reply = feeder
        .send(&http.wire, request, load, &http.up, http.timeout)
        .await?;
    read(reply, call.bytes_max, Effect::Writes).await
}

/// A connection may be as slow as this with content that is sent in one piece.
const SLOW_BYTES_PER_S: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_its_fields_and_its_length() {
        let form = Form::new(&fields("a b.txt"), "m");
        let head = String::from_utf8(form.head.to_vec()).expect("text");
        assert!(head.contains("name=\"urlencoded_filename\"\r\n\r\na%20b.txt\r\n"));
        assert!(head.contains("name=\"force_post\"\r\n\r\ntrue\r\n"));
        assert_eq!(
            form.length(5),
            (form.head.len() + 5 + form.tail.len()) as u64
        );
    }
}
