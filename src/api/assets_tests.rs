//! What a browser gets of a folder of pages, and of none.

use axum::body::to_bytes;

use super::*;

#[derive(RustEmbed)]
#[folder = "src/api/tests/pages"]
struct Pages;

fn ask(files: Files, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = axum::http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    serve(files, &request.body(Body::empty()).unwrap())
}

fn get(path: &str, headers: &[(&str, &str)]) -> Response {
    ask(Pages::get, "GET", path, headers)
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn every_path_without_a_file_is_the_page() {
    for path in ["/", "/wallboard", "/calls/01ARZ", "/index.html"] {
        let response = get(path, &[]);
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert!(text(response).await.contains("<title>"), "{path}");
    }
    assert_eq!(get("/assets/gone-2.js", &[]).status(), 404, "an old file is not the page");
    assert_eq!(get("/../Cargo.toml", &[]).status(), 404);
    assert_eq!(
        get("/other", &[("upgrade", "websocket")]).status(),
        404,
        "no page for who asks for a WebSocket"
    );
    assert_eq!(ask(Pages::get, "POST", "/", &[]).status(), 405);
    assert_eq!(header(&get("/icon.svg", &[]), "content-type"), "image/svg+xml");
}

#[tokio::test]
async fn what_has_a_hash_is_kept_and_comes_packed_if_it_may() {
    let plain = get("/assets/a-1.js", &[]);
    assert_eq!(header(&plain, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(text(plain).await, "plain()\n");
    let packed = get("/assets/a-1.js", &[("accept-encoding", "br, gzip;q=0.8")]);
    assert_eq!(header(&packed, "content-encoding"), "gzip", "there is no br");
    assert_eq!(header(&packed, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(text(packed).await, "packed\n");
    let refused = get("/assets/a-1.js", &[("accept-encoding", "gzip;q=0")]);
    assert_eq!(header(&refused, "content-encoding"), "");
}

#[test]
fn a_version_the_browser_has_is_not_sent_again() {
    let tag = header(&get("/", &[]), "etag");
    assert!(tag.len() > 10, "{tag}");
    for sent in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        assert_eq!(get("/", &[("if-none-match", &sent)]).status(), 304, "{sent}");
    }
    assert_eq!(get("/", &[("if-none-match", "\"x\"")]).status(), 200);
}

#[tokio::test]
async fn without_a_build_it_says_what_to_do() {
    let response = ask(|_| None, "GET", "/", &[]);
    assert_eq!(response.status(), 404);
    assert!(text(response).await.contains("`make`"));
}

#[tokio::test]
async fn the_api_s_own_page_lies_below_the_api() {
    for path in ["/api/docs", "/api/docs/", "/api/docs/index.html"] {
        let response = get(path, &[]);
        assert_eq!(
            (response.status().as_u16(), header(&response, "cache-control")),
            (200, "no-cache".into())
        );
        assert!(text(response).await.contains("API"), "{path}");
    }
    assert_eq!(text(get("/api/docs/start.js", &[])).await, "plain");
    let packed = get("/api/docs/start.js", &[("accept-encoding", "gzip")]);
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert_eq!(text(packed).await, "packed");
    for path in
        ["/api/docsx", "/api/docs/gone.js", "/api/docs/../index.html", "/api/docs//etc/passwd", "/api"]
    {
        assert_eq!(get(path, &[]).status(), 404, "{path}");
    }
    assert_eq!(ask(Pages::get, "POST", "/api/docs", &[]).status(), 405);
}
