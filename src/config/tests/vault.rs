//! `[vault]`: every rule has a text that breaks it alone and one beside it that does not.

use super::*;

const S3: &str = "[vault.s3]\nbucket = \"b\"\n";
const KMS: &str = "[vault.kms]\nkey-id = \"k\"\n";

/// The text is refused at this place, with these words.
fn refused(text: &str, place: &str, words: &[&str]) {
    let fault = fault(text);
    assert!(fault.starts_with(&format!("sayso.toml: [{place}]: ")), "{text}\n{fault}");
    words.iter().for_each(|word| assert!(fault.contains(word), "{text}\n{fault}\nlacks {word}"));
}

fn taken(text: &str) -> VaultSection {
    Config::parse(text, "sayso.toml").unwrap_or_else(|error| panic!("{text}\n{error}")).vault
}

#[test]
fn numbers_have_lower_bounds() {
    refused("[vault]\nuploads = 0\n", "vault", &["uploads", "at least one"]);
    taken("[vault]\nuploads = 1\n");
    refused("[vault]\nsegment = \"4s\"\n", "vault", &["segment", "at least 5s"]);
    taken("[vault]\nsegment = \"5s\"\n");
    for short in ["1s", "599s"] {
        let text = format!("[vault]\nreconcile-every = \"{short}\"\n");
        refused(&text, "vault", &["reconcile-every", "at least 10m", "0s"]);
    }
    assert!(taken("[vault]\nreconcile-every = \"0s\"\n").reconcile_every.is_zero());
    assert_eq!(taken("[vault]\nreconcile-every = \"10m\"\n").reconcile_every, Duration::from_secs(600));
}

#[test]
fn recordings_and_keys_have_one_place() {
    refused(&format!("[vault]\nfolder = \"f\"\n{S3}"), "vault", &["folder", "[vault.s3]", "exclude"]);
    taken("[vault]\nfolder = \"f\"\n");
    refused(&format!("[vault]\nkey-file = \"f\"\n{KMS}"), "vault", &["key-file", "[vault.kms]", "exclude"]);
    taken("[vault]\nkey-file = \"f\"\n");
    taken(&format!("{S3}{KMS}"));
}

#[test]
fn bucket_prefix_and_tags_are_what_s3_takes() {
    for wrong in ["", "a/b", "a b"] {
        refused(&format!("[vault.s3]\nbucket = \"{wrong}\"\n"), "vault.s3", &["bucket", "slashes"]);
    }
    for wrong in ["/", "/sayso/", "sayso"] {
        refused(&format!("{S3}prefix = \"{wrong}\"\n"), "vault.s3", &["prefix", "sayso/"]);
    }
    for right in ["", "sayso/", "a/b/"] {
        assert_eq!(taken(&format!("{S3}prefix = \"{right}\"\n")).s3.expect("a section").prefix, right);
    }
    let tags = |count: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("t{n} = \"v\"")).collect();
        format!("{S3}tags = {{ {} }}\n", tags.join(", "))
    };
    refused(&tags(9), "vault.s3", &["tags", "at most 8"]);
    taken(&tags(8));
}

#[test]
fn keys_and_their_secrets_go_together() {
    for (section, place) in [(S3, "vault.s3"), (KMS, "vault.kms")] {
        let (id, secret) = ("access-key-id = \"AK\"\n", "secret-access-key = \"hidden\"\n");
        refused(&format!("{section}{id}"), place, &["go together"]);
        refused(&format!("{section}{secret}"), place, &["go together"]);
        let both = taken(&format!("{section}{id}{secret}"));
        assert!(!format!("{both:?}").contains("hidden"), "{both:?}");
    }
    refused(&format!("{S3}sse-kms-key = \"k\"\n"), "vault.s3", &["sse-kms-key", "sse = \"kms\""]);
    refused(&format!("{S3}sse = \"s3\"\nsse-kms-key = \"k\"\n"), "vault.s3", &["sse = \"kms\""]);
    taken(&format!("{S3}sse = \"kms\"\nsse-kms-key = \"k\"\n"));
}

#[test]
fn what_the_store_encrypts_needs_a_store_that_does() {
    let store = "[vault]\nencryption = \"store\"\n";
    refused(store, "vault", &["encryption", "needs [vault.s3]"]);
    refused(&format!("{store}{S3}"), "vault", &["encryption", "sse = \"s3\""]);
    for sse in ["s3", "kms"] {
        taken(&format!("{store}{S3}sse = \"{sse}\"\n"));
    }
}

#[test]
fn a_lock_that_forbids_erasure_is_refused_with_the_reason() {
    let lock = |keys: &str| format!("{S3}sse = \"s3\"\nobject-lock = {{ {keys} }}\n");
    for mode in ["mode = \"governance\"", "mode = \"compliance\", erasure = \"key-only\""] {
        refused(&lock(&format!("{mode}, days = 0")), "vault.s3", &["object-lock.days", "at least 1"]);
        taken(&lock(&format!("{mode}, days = 1")));
    }
    for whole in ["", ", erasure = \"whole\""] {
        let text = lock(&format!("mode = \"compliance\", days = 7{whole}"));
        refused(
            &text,
            "vault.s3",
            &["before its lock ends", "withdrawal", "governance", "erasure = \"key-only\""],
        );
    }
    let store = "[vault]\nencryption = \"store\"\n";
    let key_only = lock("mode = \"compliance\", days = 7, erasure = \"key-only\"");
    refused(&format!("{store}{key_only}"), "vault.s3", &["cannot be erased", "sealed", "governance"]);
    taken(&format!("{store}{}", lock("mode = \"governance\", days = 7")));
}

#[test]
fn endpoints_hold_no_password() {
    for (section, place) in [(S3, "vault.s3"), (KMS, "vault.kms")] {
        for with in ["https://key:hidden@host", "https://hidden@host:9000", "http://a:hidden@127.0.0.1"] {
            let text = format!("{section}endpoint = \"{with}\"\ninsecure = true\n");
            refused(&text, place, &["endpoint", "password", "secret-access-key"]);
            assert!(!fault(&text).contains("hidden"));
        }
        for wrong in [
            "",
            "minio.example",
            "ftp://minio.example",
            "https://",
            "https:///x",
            "https://h:",
            "https://h:x",
            "https://h:70000",
            "https://h?hidden",
            "https://h#hidden",
            "https://h \\t",
            "https://[::1",
            "https://:80",
        ] {
            let text = format!("{section}endpoint = \"{wrong}\"\n");
            refused(&text, place, &["endpoint", "https://minio.example:9000"]);
            assert!(!fault(&text).contains("hidden"));
        }
    }
}

#[test]
fn what_crosses_a_network_is_encrypted() {
    let told = [(S3, "vault.s3", "removed"), (KMS, "vault.kms", "key-encryption key")];
    for (section, place, why) in told {
        let text = |url: &str, more: &str| format!("{section}endpoint = \"{url}\"\n{more}");
        let elsewhere = [
            "http://minio.example:9000",
            "http://10.0.0.7",
            "HTTP://minio.example",
            "http://[2001:db8::1]:9000",
            "http://127.0.0.1.example",
            "http://localhost.example:9000",
        ];
        for url in elsewhere {
            refused(&text(url, ""), place, &["endpoint", why, &format!("insecure = true in [{place}]")]);
            refused(&text(url, "insecure = false\n"), place, &["insecure = true"]);
            let accepted = Config::parse(&text(url, "insecure = true\n"), "x").expect("accepted");
            assert!(accepted.facts().contains(&Fact::VaultInClear), "{url}");
        }
        for url in [
            "http://127.0.0.1:9000",
            "http://127.1.2.3",
            "http://[::1]:9000/",
            "http://localhost:9000",
            "https://minio.example:9000",
            "https://10.0.0.7",
            "https://[2001:db8::1]:9000",
            "https://h.example/v1/s3",
        ] {
            taken(&text(url, ""));
        }
    }
    let plain = "[vault]\nencryption = \"store\"\n[vault.s3]\nbucket = \"b\"\nsse = \"s3\"\n";
    refused(&format!("{plain}endpoint = \"http://minio.example\"\n"), "vault.s3", &["audio itself", "plain"]);
}

#[test]
fn secrets_are_in_no_message() {
    for (section, head) in [(S3, 3), (KMS, 3), ("[turn]\n", 2), ("[database]\n", 2)] {
        let keys = match section {
            "[turn]\n" => ["secret", "secrte"],
            "[database]\n" => ["url", "ulr"],
            _ => ["secret-access-key", "sercet-acess-key"],
        };
        for key in keys {
            for value in
                ["1234567", "1234567.5", "true1234567", "[\"1234567\"]", "{ a = \"1234567\" }", "\"1234567"]
            {
                let fault = fault(&format!("{section}{key} = {value}\n"));
                assert!(fault.starts_with(&format!("sayso.toml:{head}: `{key} = …`")), "{fault}");
                assert!(!fault.contains("1234567"), "{fault}");
            }
        }
    }
    for open in ["\"\"\"", "'''"] {
        let fault = fault(&format!("{S3}secret-access-key = {open}\n1234567==\n\u{1}x1234567 = 1\n"));
        assert!(!fault.contains("1234567"), "{fault}");
    }
    let inline = fault("[vault]\ns3 = { bukcet = \"b\", secret-access-key = \"1234567\" }\n");
    assert!(inline.contains("bukcet") && !inline.contains("1234567"), "{inline}");
    let array = fault("[turn]\nsecret = [\n  \"1234567\",\n  1234567 x,\n]\n");
    assert!(!array.contains("1234567"), "{array}");
}

#[test]
fn sizes_are_as_people_write_them() {
    for (text, bytes) in [
        ("0B", 0),
        ("1B", 1),
        ("1kB", 1_000),
        ("1KiB", 1_024),
        ("500MB", 500_000_000),
        ("2MiB", 2 << 20),
        ("3GB", 3_000_000_000),
        ("2GiB", 2 << 30),
        (" 7 MB ", 7_000_000),
        ("18446744073709551615B", u64::MAX),
    ] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for wrong in [
        "",
        "B",
        "500",
        "-1MB",
        "+1MB",
        "1.5GB",
        "1mb",
        "1TB",
        "1 M B",
        "MB1",
        "18446744073709551616B",
        "18446744073709551615kB",
        "20000000000GiB",
        "١MB",
    ] {
        let told = parse_size(wrong).expect_err(wrong);
        assert!(told.contains("500MB") && told.contains("GiB"), "{told}");
    }
    assert_eq!(taken("[vault]\nreserve = \"2GiB\"\n").reserve, 2 << 30);
    assert_eq!(taken(&format!("{S3}bandwidth = \"5MB\"\n")).s3.and_then(|s3| s3.bandwidth), Some(5_000_000));
    for wrong in ["[vault]\nreserve = \"much\"\n", &format!("{S3}bandwidth = \"fast\"\n")] {
        assert!(fault(wrong).contains("is no size such as"), "{wrong}");
    }
}
