//! The pages, as `make` built them into the program. Files whose names hold a hash are kept by browsers for
//! good, all others are asked for each time and answered by their ETag.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;

/// Where Vite puts what has a hash in its name.
const HASHED: &str = "assets/";
/// Where the build puts Swagger UI.
const DOCS: &str = "swagger/";
/// A path without a file leads to this: the page itself knows what to show there.
const INDEX: &str = "index.html";

const NOT_BUILT: &str = "The pages are not built into this program.\n\
     Run `make` in the project's folder, and start what it made.\n";

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

/// A file of the pages by its path.
type Files = fn(&str) -> Option<EmbeddedFile>;

/// How a file may lie there packed, the best first: the word of HTTP, and how the name goes on.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Whatever path no other route takes.
pub(super) async fn page(request: Request) -> Response {
    serve(Built::get, &request)
}

fn serve(files: Files, request: &Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if let Some(name) = path.strip_prefix("api/docs") {
        return docs(files, name, request);
    }
    if path == "api" || path.starts_with("api/") {
        return Problem::new(StatusCode::NOT_FOUND, "no-route", "There is no such route.").into_response();
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    // SIP over WebSocket has a path of its own.
    if request.headers().contains_key(header::UPGRADE) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let name = if path.is_empty() || !is_file { INDEX } else { path };
    let kind = files(name).map(|file| content_type(&file));
    match kind {
        Some(kind) => file(files, name, kind, request),
        None if name == INDEX => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

/// Swagger UI with the server's own OpenAPI document.
fn docs(files: Files, name: &str, request: &Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let name = match name.trim_end_matches('/') {
        "" => "/index.html",
        name => name,
    };
    let name = name.strip_prefix('/').map(|name| format!("{DOCS}{name}"));
    let found = name.and_then(|name| Some((content_type(&files(&name)?), name)));
    match found {
        Some((kind, name)) => file(files, &name, kind, request),
        None => Problem::new(StatusCode::NOT_FOUND, "no-route", "There is no such route.").into_response(),
    }
}

fn file(files: Files, name: &str, kind: HeaderValue, request: &Request) -> Response {
    let packed = PACKED.into_iter().filter(|(word, _)| accepts(request.headers(), word));
    let packed = packed.filter_map(|(word, end)| Some((Some(word), files(&format!("{name}{end}"))?)));
    let Some((encoding, found)) = packed.chain(files(name).map(|file| (None, file))).next() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = HeaderValue::try_from(format!("\"{}\"", hex::encode(&found.metadata.sha256_hash()[..12])));
    let tag = tag.unwrap_or(HeaderValue::from_static("\"\""));
    let kept = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::ETAG, tag.clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if has(request.headers(), &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::CONTENT_TYPE, kind);
    headers.extend(encoding.map(|word| (header::CONTENT_ENCODING, HeaderValue::from_static(word))));
    let body = match found.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    (headers, body).into_response()
}

/// Texts are UTF-8, and said to be.
fn content_type(file: &EmbeddedFile) -> HeaderValue {
    let kind = file.metadata.mimetype();
    let text = kind.starts_with("text/") && !kind.contains("charset");
    let kind = if text { format!("{kind}; charset=utf-8") } else { kind.to_owned() };
    HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// Whether `Accept-Encoding` names a coding and does not refuse it by `q=0` (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().trim_start_matches("q=").trim();
        let refused = weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0);
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

/// Whether the browser has this version already.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default();
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(|item| item.trim().trim_start_matches("W/"));
    tags.any(|item| item == tag || item == "*")
}

#[cfg(test)]
#[path = "assets_tests.rs"]
mod tests;
