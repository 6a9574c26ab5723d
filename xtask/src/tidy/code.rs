//! Rust source with everything blanked out that is not code.

/// `source` with comments and the contents of strings and characters turned into blanks; every line stays where it is.
pub(super) fn only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped_len(source, at);
        if end > at {
            out.extend(source[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            let c = source[at..].chars().next().unwrap_or(' ');
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// Whether `word` is in `line` as a word of its own (`fs::` is in `std::fs::read`, not in `offs::x`).
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let ends_in_name = in_name(word.chars().next_back());
    line.match_indices(word).any(|(at, _)| {
        let goes_on_before = in_name(line[..at].chars().next_back());
        let goes_on_after = ends_in_name && in_name(line[at + word.len()..].chars().next());
        !(goes_on_before || goes_on_after)
    })
}

/// How many bytes of what is not code start at `at`; 0 if code does.
fn skipped_len(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if let Some(text) = rest.strip_prefix('"') {
        return 1 + quoted_len(text, '"');
    }
    let in_name = source[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_name && let Some(len) = raw_string_len(rest) {
        return len;
    }
    if rest.starts_with('\'') {
        return char_len(rest);
    }
    0
}

fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of what is quoted and of the closing quote.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if !escaped && c == quote {
            return at + c.len_utf8();
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`; not `r#name`.
fn raw_string_len(rest: &str) -> Option<usize> {
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - body.len();
    Some(body.find(&close).map_or(rest.len(), |at| opening + at + close.len()))
}

/// A character's length; 0 if the apostrophe starts a lifetime or a label.
fn char_len(rest: &str) -> usize {
    let inside = &rest[1..];
    let mut chars = inside.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(_)) => 1 + quoted_len(inside, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left_and_lines_stay() {
        for (source, left) in [
            ("let a = 1; // sleep(1)\nlet b;", "let a = 1; \nlet b;"),
            ("/* a /* b */ sleep( */ x", "x"),
            (r#"f("unsafe \" {") + g"#, "f() + g"),
            (r##"f(r#"todo!("x")"#, 'x', '"', '\'', b"y")"##, "f(, , , , b)"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("let r#fn = bar\"x\";", "let r#fn = bar;"),
            ("\"é\n\" é", "\n é"),
        ] {
            let code = only(source);
            assert_eq!(code.split(' ').collect::<String>(), left.split(' ').collect::<String>(), "{source}");
            assert_eq!(code.lines().count(), source.lines().count());
        }
    }

    #[test]
    fn words_have_borders() {
        assert!(has_word("use std::fs::File;", "fs::"));
        assert!(!has_word("use offs::File;", "fs::"));
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(!has_word("my_println!()", "println!"));
        assert!(has_word("thread::sleep(x)", "sleep("));
    }
}
