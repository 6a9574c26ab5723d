//! The query of a request's address.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Problem, text::quoted};

/// The parameters of a query (WHATWG URL §5.1), in order. Those that are not known are ignored, and an empty one is, as a
/// form sends it, mostly the same as none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(query: &str) -> Result<Self, Problem> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((unescaped(name)?, unescaped(value)?))
        };
        query.split('&').filter(|text| !text.is_empty()).map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// Those of a form that a browser sends (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    ///
    /// 400 if it is none.
    pub(crate) fn of_form(bytes: &[u8]) -> Result<Self, Problem> {
        Self::of(std::str::from_utf8(bytes).map_err(|_| Problem::bad_request("the form is not UTF-8"))?)
    }

    /// Those of a request.
    pub(super) fn of_parts(parts: &Parts) -> Result<Self, Problem> {
        Self::of(parts.uri.query().unwrap_or_default())
    }

    /// The first value of a parameter that is not empty.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, be it empty: for those that no form of a page sends.
    #[must_use]
    pub(crate) fn stated(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number from 1, and at most `max`: what is above counts as `max`.
    ///
    /// # Errors
    ///
    /// 400 if it is none.
    pub(crate) fn limit(&self, name: &str, default: usize, max: usize) -> Result<usize, Problem> {
        let Some(text) = self.stated(name) else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<usize>() {
            Ok(0) => Err(not_a_limit(name, text)),
            Ok(number) => Ok(number.min(max)),
            // More than can be counted.
            Err(_) if digits => Ok(max),
            Err(_) => Err(not_a_limit(name, text)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of_parts(parts)
    }
}

fn not_a_limit(name: &str, text: &str) -> Problem {
    Problem::bad_request(format!("{name} {} is not a number from 1", quoted(text)))
}

/// Undoes `+` and `%XX`; what is no escape stands for itself.
fn unescaped(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match (byte, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after;
                hex(*high) << 4 | hex(*low)
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| {
        Problem::bad_request(format!("{} in the query is not UTF-8, percent-encoded", quoted(text)))
    })
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        letter => (letter | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name() {
        let all = Parameters::of("query=a+b%C3%A9%2B%&limit=&x&limit=20&query=c").unwrap();
        assert_eq!(all.get("query"), Some("a bé+%"));
        assert_eq!(all.get("limit"), Some("20"));
        assert_eq!((all.get("x"), all.get("y")), (None, None));
    }

    #[test]
    fn what_is_no_text_is_quoted() {
        let problem = Parameters::of("query=%ff").unwrap_err();
        assert_eq!(problem.detail(), "`%ff` in the query is not UTF-8, percent-encoded");
    }

    #[test]
    fn a_limit_is_a_number_from_one() {
        let limit =
            |query: &str| Parameters::of(query).unwrap().limit("limit", 50, 500).map_err(|p| p.to_string());
        assert_eq!(limit(""), Ok(50));
        assert_eq!(limit("limit=7"), Ok(7));
        assert_eq!(limit("limit=501"), Ok(500));
        assert_eq!(limit("limit=99999999999999999999999"), Ok(500));
        for wrong in ["0", "-1", "x", "1.5"] {
            assert_eq!(
                limit(&format!("limit={wrong}")),
                Err(format!("limit `{wrong}` is not a number from 1"))
            );
        }
    }
}
