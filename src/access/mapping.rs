//! What a provider's word (OpenID Connect) says of somebody: the name here, and the role.

use serde_json::{Map, Value};

use crate::settings::Provider;

/// The longest name a user can have in the settings.
const LONGEST_NAME: usize = 64;

/// An address, and whether it was proven (Core 1.0 §5.1).
const EMAIL: &str = "email";
const VERIFIED: &str = "email_verified";

/// The claims about somebody, as the provider signed or answered them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims(pub Map<String, Value>);

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claims({} of them)", self.0.len())
    }
}

impl Claims {
    /// Whether what the provider's settings look at is there.
    #[must_use]
    pub fn complete(&self, provider: &Provider) -> bool {
        let roles = provider.roles.is_empty() || self.0.contains_key(&provider.role_claim);
        let proof = provider.user_claim != EMAIL || self.0.contains_key(VERIFIED);
        self.0.contains_key(&provider.user_claim) && proof && roles
    }

    /// With others, where these say nothing.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (claim, value) in others.0 {
            self.0.entry(claim).or_insert(value);
        }
        self
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim).and_then(Value::as_str)
    }

    /// All values of a claim that is a text or a list of texts.
    fn all(&self, claim: &str) -> Vec<&str> {
        match self.0.get(claim) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(value)) => vec![value],
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }
}

/// What the claims say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The user's name here; `None`: what the claim says cannot be one.
    pub name: Option<String>,
    /// The name people see.
    pub display_name: Option<String>,
    /// The role's word, by the first line of the provider's `roles` that fits.
    pub role: Option<String>,
}

/// Reads the claims as the provider's settings say.
#[must_use]
pub fn mapped(provider: &Provider, claims: &Claims) -> Mapped {
    // An address of which the provider does not say that it was proven is anybody's.
    let unproven = provider.user_claim == EMAIL && claims.0.get(VERIFIED) != Some(&Value::Bool(true));
    let name = claims.text(&provider.user_claim).filter(|name| could_be_name(name) && !unproven);
    let values = claims.all(&provider.role_claim);
    let role = provider.roles.iter().find(|(value, _)| values.contains(&value.as_str()));
    let display = claims.text("name").map(str::trim).filter(|name| !name.is_empty());
    Mapped {
        name: name.map(str::to_owned),
        display_name: display.map(|name| name.chars().filter(|c| !c.is_control()).take(100).collect()),
        role: role.map(|(_, role)| role.clone()),
    }
}

/// Whether a text could be a user's name: what the settings take for one.
#[must_use]
pub fn could_be_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider() -> Provider {
        Provider {
            display_name: "House".into(),
            issuer: "https://id.example".into(),
            client_id: "sayso".into(),
            client_secret: None,
            scopes: Vec::new(),
            user_claim: "preferred_username".into(),
            role_claim: "groups".into(),
            roles: vec![
                ("chiefs".into(), "superuser".into()),
                ("staff".into(), "agent".into()),
                ("all".into(), "own-role".into()),
            ],
            make_users: false,
        }
    }

    fn claims(value: Value) -> Claims {
        let Value::Object(map) = value else { panic!("{value}") };
        Claims(map)
    }

    #[test]
    fn the_first_line_that_fits_gives_the_role() {
        let role = |groups: Value| mapped(&provider(), &claims(json!({ "groups": groups }))).role;
        assert_eq!(role(json!(["all", "staff", "chiefs"])).as_deref(), Some("superuser"));
        assert_eq!(role(json!(["all", "staff"])).as_deref(), Some("agent"));
        assert_eq!(role(json!("all")).as_deref(), Some("own-role"));
        for none in [json!([]), json!(["others", 7]), json!({ "chiefs": true }), json!(null), json!("chief")]
        {
            assert_eq!(role(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn a_name_is_one_of_the_settings_or_none() {
        let name = |value: Value| mapped(&provider(), &claims(json!({ "preferred_username": value }))).name;
        assert_eq!(name(json!("ada.l")).as_deref(), Some("ada.l"));
        for none in
            [json!("ada@example.org"), json!(""), json!("a b"), json!("ädä"), json!(7), json!("x".repeat(65))]
        {
            assert_eq!(name(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn an_unproven_address_names_nobody() {
        let provider = Provider { user_claim: "email".into(), ..provider() };
        let name = |verified: Value| {
            mapped(&provider, &claims(json!({ "email": "ada", "email_verified": verified }))).name
        };
        assert_eq!(name(json!(true)).as_deref(), Some("ada"));
        assert_eq!(name(json!(false)), None);
        assert_eq!(name(json!("true")), None);
        let silent = claims(json!({ "email": "ada", "groups": [] }));
        assert_eq!(mapped(&provider, &silent).name, None);
        assert!(!silent.complete(&provider), "the provider is asked for more");
    }

    #[test]
    fn what_the_token_says_counts_before_what_is_asked_later() {
        let token = claims(json!({ "sub": "1", "preferred_username": "ada" }));
        assert!(!token.complete(&provider()));
        let all = token.or(claims(json!({ "preferred_username": "eve", "groups": ["staff"] })));
        assert!(all.complete(&provider()));
        let mapped = mapped(&provider(), &all);
        assert_eq!((mapped.name.as_deref(), mapped.role.as_deref()), (Some("ada"), Some("agent")));
    }
}
