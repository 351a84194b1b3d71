//! `state`: what the server says of itself and of the user, and the key pairs.
//!
//! In: users and workspaces. Out: JSON or XML. Invariant: a list of one is an object, as
//! PHP's conversion makes it; a value of a plugin's property is JSON inside a string.
//! Deliberately absent: the other 160 kB of a real registry.

use serde_json::{Map, Value, json};

use super::answer::{self, Answer, escape};
use super::auth::Tokens;
use super::call::Call;
use super::options::{Options, Rights, User, Workspace};
use super::quirks::{Quirk, Quirks};
use super::server::Ctx;

/// Answers `state`.
pub(super) fn state(ctx: &Ctx<'_>) -> Answer {
    let options = &ctx.server.options;
    let asked = ctx.call.rest();
    let value = match asked {
        "user/repositories" => json!({ "repositories": repositories(options, ctx.user) }),
        "user" => json!({ "user": user(ctx) }),
        "user/active_repo" => json!({ "active_repo": active(ctx) }),
        "user/preferences" => json!({ "preferences": preferences(ctx.user) }),
        "plugins" => json!({ "plugins": plugins(ctx) }),
        _ => json!({}),
    };
    if ctx.call.params.get("format") == Some("json") {
        let text = value.to_string().replace('/', "\\/");
        return Answer::new("application/json; charset=UTF-8", text);
    }
    let mut inside = String::new();
    if let Value::Object(map) = &value {
        for (name, value) in map {
            element(&mut inside, name, value);
        }
    }
    let path = escape(asked);
    let part = format!("<ajxp_registry_part xPath=\"{path}\" >{inside}</ajxp_registry_part>");
    Answer::xml(&part)
}

fn repositories(options: &Options, user: &User) -> Value {
    let mut repos: Vec<Value> = options
        .workspaces
        .iter()
        .filter_map(|workspace| Some(repository(workspace, user.rights(workspace)?)))
        .collect();
    repos.push(json!({
        "@access_type": "ajxp_user", "@id": "ajxp_user", "@repository_type": "local",
        "@repositorySlug": "dashboard", "@acl": "rw", "label": "My Account",
        "description": "Manage my account preferences",
    }));
    json!({ "repo": one_or_many(repos) })
}

fn repository(workspace: &Workspace, rights: Rights) -> Value {
    let mut repo = Map::new();
    let mut put = |name: &str, value: &str| repo.insert(name.to_owned(), value.into());
    put("@access_type", "fs");
    put("@id", &workspace.id);
    put("@repository_type", "local");
    put("@allowCrossRepositoryCopy", "true");
    if workspace.per_user {
        put("@userScope", "true");
    }
    put("@repositorySlug", &workspace.slug);
    if workspace.syncable {
        put("@meta_syncable_REPO_SYNCABLE", "true");
    }
    put("@acl", rights.acl());
    put("label", &workspace.label);
    put("description", "No description available");
    repo.insert(
        "client_settings".to_owned(),
        json!({ "@icon": "plugins/access.fs/icon.png" }),
    );
    Value::Object(repo)
}

fn user(ctx: &Ctx<'_>) -> Value {
    json!({
        "@id": ctx.user.name,
        "active_repo": active(ctx),
        "repositories": repositories(&ctx.server.options, ctx.user),
        "preferences": preferences(ctx.user),
    })
}

fn active(ctx: &Ctx<'_>) -> Value {
    let write = if ctx.place.writable { "1" } else { "" };
    json!({ "@id": ctx.place.id, "@write": write, "@read": "1" })
}

fn preferences(user: &User) -> Value {
    json!({ "pref": [
        { "@name": "lang", "@value": "", "@pluginId": "core.conf" },
        { "@name": "USER_DISPLAY_NAME", "@value": user.name, "@pluginId": "core.conf" },
    ] })
}

fn plugins(ctx: &Ctx<'_>) -> Value {
    let options = &ctx.server.options;
    let hasher = json!({
        "@id": "meta.filehasher",
        "plugin_configs": { "property": { "@name": "RSYNC_SUPPORTED", "$": "false" } },
    });
    let mut metas = vec![json!({ "@id": "meta.syncable" }), hasher];
    if ctx.call.workspace != "pydio" {
        if ctx.place.quota.is_some() {
            metas.push(json!({ "@id": "meta.quota" }));
        }
        if ctx.place.locks {
            metas.push(json!({ "@id": "meta.simple_lock" }));
        }
    }
    json!({
        "@uuidAttr": "name",
        "ajxpcore": [
            { "@id": "core.ajaxplorer", "plugin_configs": { "property": [
                { "@name": "APPLICATION_TITLE", "$": "\"Pydio\"" },
                { "@name": "NODENAME_MAX_LENGTH", "$": "255" },
            ] } },
            { "@id": "core.uploader", "plugin_configs": { "property": [
                { "@name": "UPLOAD_MAX_SIZE", "$": format!("\"{}\"", options.upload_max) },
                { "@name": "UPLOAD_MAX_SIZE_TOTAL", "$": "\"0\"" },
                { "@name": "ALLOWED_EXTENSIONS", "$": "\"\"" },
            ] } },
        ],
        "meta": one_or_many(metas),
        "ajxp_plugin": { "@id": "core.mq" },
    })
}

fn one_or_many(mut values: Vec<Value>) -> Value {
    if values.len() == 1 {
        values.remove(0)
    } else {
        Value::Array(values)
    }
}

/// Writes a value as XML: `@name` is an attribute, a list repeats its element.
fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| element(out, name, value)),
        Value::Object(map) => {
            out.push('<');
            out.push_str(name);
            let mut inside = String::new();
            for (key, value) in map {
                match (key.strip_prefix('@'), value) {
                    (Some(key), Value::String(text)) => {
                        out.push_str(&format!(" {key}=\"{}\"", escape(text)));
                    }
                    (None, Value::String(text)) if key == "$" => inside.push_str(&escape(text)),
                    _ => element(&mut inside, key, value),
                }
            }
            out.push_str(&format!(">{inside}</{name}>"));
        }
        Value::String(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
        _ => {}
    }
}

/// Answers what begins with `keystore_`; nothing for others.
pub(super) fn keystore(quirks: Quirks, call: &Call, tokens: &Tokens, user: &str) -> Option<Answer> {
    let agent = call.header("user-agent").unwrap_or("");
    let text = match call.action.as_str() {
        _ if quirks.has(Quirk::NoTokens) => return None,
        "keystore_generate_auth_token" => {
            let (token, private) = tokens.generate(user, call.segment(), agent);
            format!("{{\"t\":\"{token}\",\"p\":\"{private}\"}}")
        }
        "keystore_list_tokens" => list(tokens, user),
        "keystore_revoke_tokens" => {
            tokens.revoke(user, call.params.get("key_id"));
            "{\"result\":\"SUCCESS\",\"message\":\"Key(s) removed successfully!\"}".to_owned()
        }
        _ => return None,
    };
    Some(Answer::new("application/json; charset=UTF-8", text))
}

fn list(tokens: &Tokens, user: &str) -> String {
    let pairs = tokens.of(user);
    if pairs.is_empty() {
        return "[]".to_owned();
    }
    let items: Vec<String> = pairs
        .iter()
        .map(|(token, pair)| {
            let app = pair.agent.contains("python-requests");
            let device = if pair.device.is_empty() {
                String::new()
            } else {
                format!("\"DEVICE_ID\":{},", answer::json(&pair.device))
            };
            format!(
                "\"{token}\":{{{device}\"DEVICE_UA\":{},\"DEVICE_IP\":\"127.0.0.1\",\
                 \"DEVICE_DESC\":\"{}\",\"DEVICE_OS\":\"Not automatically detected\"}}",
                answer::json(&pair.agent),
                if app { "PydioSync" } else { "Web Browser" },
            )
        })
        .collect();
    format!("{{{}}}", items.join(","))
}
