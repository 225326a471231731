//! Displays a Redis URL that may be broken, without every part that may belong to a secret.

/// Returns the URL with `***` in place of the login, of the query, and of every part that is not
/// clearly a host, a port or a path.
pub(in crate::config) fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme, rest) => (scheme, rest),
        _ => ("", url),
    };
    let colon = if scheme.is_empty() { "" } else { ":" };
    let slashes = if rest.starts_with("//") { "//" } else { "" };
    let rest = &rest[slashes.len()..];
    let (head, tail) = rest.find(['?', '#']).map_or((rest, ""), |end| rest.split_at(end));
    // An `@` after `?` or `#` ends a password that is not escaped, or belongs to a password in the
    // query. The parts cannot be distinguished then.
    let shown = if tail.contains('@') {
        "***".to_owned()
    } else {
        let tail = if tail.len() > 1 { format!("{}***", &tail[..1]) } else { tail.to_owned() };
        match head.rsplit_once('@') {
            Some((_, place)) => format!("***@{}{tail}", place_or_hidden(place)),
            None => format!("{}{tail}", place_or_hidden(head)),
        }
    };
    format!("{scheme}{colon}{slashes}{shown}")
}

/// Returns whether the text before the first colon is a scheme, and not a user, a host or a
/// password.
fn is_scheme(scheme: &str, rest: &str) -> bool {
    let is_known = super::url::SCHEMES.iter().any(|(known, ..)| scheme.eq_ignore_ascii_case(known));
    let is_word =
        (2..=20).contains(&scheme.len()) && scheme.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'+');
    is_known || (is_word && rest.starts_with("//"))
}

/// Returns the text if it consists of hosts, numeric ports and a path, else `***`.
fn place_or_hidden(text: &str) -> &str {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._[]:,/".contains(char);
    let authority = text.split('/').next().unwrap_or_default();
    let has_numeric_port = |host: &str| match host.rsplit_once(':') {
        // Without brackets, the part before the last colon must not contain another one.
        Some((name, port)) => {
            let is_host = !name.is_empty() && (!name.contains(':') || name.starts_with('['));
            is_host && (host.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()))
        }
        None => true,
    };
    let is_place = text.chars().all(is_plain) && authority.split(',').all(has_numeric_port);
    if is_place { text } else { "***" }
}
