//! Finds the first error of a JSON text, with the path of the field that contains it.
//!
//! In: a text. Out: a [`JsonError`]. The JSON library reads valid texts; this scanner explains why
//! the library rejected one.

use super::JsonError;

/// The number of nested objects and lists that the JSON library accepts.
const MAX_DEPTH: usize = 127;
/// The maximum number of characters with which a word is quoted.
const QUOTED_CHARS: usize = 20;

const ONLY_OBJECT: &str = "send only the job's JSON object, from its first `{` to its last `}`";
const NO_FENCE: &str = "remove the Markdown code fence and all text around the job's JSON object";
const WHOLE_TEXT: &str = "send the whole text, which may have been cut off";
const QUOTES: &str = "put names and texts in double quotes (\")";
const SEPARATORS: &str = "write one comma between two entries and none after the last one";
const NUMBERS: &str = "write a decimal number such as 5, 0.5 or -1e3";
const FINITE: &str = "write a finite number, or null for the default: JSON has neither NaN nor infinity";
const ESCAPES: &str = "write a line break in a text as \\n, and a backslash as \\\\";
const NO_COMMENTS: &str = "remove all comments, because JSON has none";
const NO_INVISIBLE: &str = "remove the invisible character";
const FEWER_LEVELS: &str = "send the job as docs/job.md describes it";

/// Returns the first error of a text that is not a JSON object.
pub(super) fn first_error(text: &str) -> JsonError {
    let mut scanner = Scanner { text, idx: 0, path: Vec::new() };
    match scanner.document() {
        Err(error) => error,
        Ok(()) => scanner.error("JSON that cannot be read", "one JSON object", ONLY_OBJECT),
    }
}

struct Scanner<'a> {
    text: &'a str,
    /// The index of the next byte, which starts a character.
    idx: usize,
    /// The parts of the path from the root, such as `.years` and `[0]`. There is one per open
    /// object or list, except the innermost one.
    path: Vec<String>,
}

type Scan = Result<(), JsonError>;

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Scan {
        self.skip_blanks()?;
        match self.peek() {
            Some('{') => self.object()?,
            Some('[') => return Err(self.error("a list", "one JSON object", ONLY_OBJECT)),
            Some('"') => return Err(self.error("a text", "one JSON object", ONLY_OBJECT)),
            None => return Err(self.error("an empty text", "one JSON object", ONLY_OBJECT)),
            Some(_) => {
                let hint = if self.text.contains(FENCE) { NO_FENCE } else { ONLY_OBJECT };
                return Err(self.unexpected("`{`", hint));
            }
        }
        self.skip_blanks()?;
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("the end of the text", ONLY_OBJECT)) }
    }

    fn value(&mut self) -> Scan {
        self.skip_blanks()?;
        match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some('"') => self.string().map(drop),
            Some('-' | '+' | '.' | '0'..='9') => self.number(),
            Some(letter) if letter.is_alphabetic() => self.word(),
            _ => Err(self.unexpected("a value", SEPARATORS)),
        }
    }

    fn object(&mut self) -> Scan {
        self.open()?;
        while !self.closes('}')? {
            if self.peek() != Some('"') {
                return Err(self.unexpected("the name of a field in double quotes", QUOTES));
            }
            let name = self.string()?;
            self.path.push(if self.path.is_empty() { name } else { format!(".{name}") });
            self.skip_blanks()?;
            if self.peek() != Some(':') {
                return Err(self.unexpected("`:` after the name of the field", SEPARATORS));
            }
            self.idx += 1;
            self.value()?;
            self.path.pop();
            self.comma_or('}')?;
        }
        Ok(())
    }

    fn list(&mut self) -> Scan {
        self.open()?;
        let mut n_entries = 0;
        while !self.closes(']')? {
            self.path.push(format!("[{n_entries}]"));
            self.value()?;
            self.path.pop();
            self.comma_or(']')?;
            n_entries += 1;
        }
        Ok(())
    }

    /// Reads the first character of an object or a list.
    fn open(&mut self) -> Scan {
        if self.path.len() >= MAX_DEPTH {
            return Err(self.error("too many nested objects and lists", "at most 127", FEWER_LEVELS));
        }
        self.idx += 1;
        Ok(())
    }

    /// Reads the last character of an object or a list, and returns whether it is there.
    fn closes(&mut self, end: char) -> Result<bool, JsonError> {
        self.skip_blanks()?;
        let is_end = self.peek() == Some(end);
        self.idx += usize::from(is_end);
        Ok(is_end)
    }

    /// Reads the comma after an entry, unless the object or the list ends there.
    fn comma_or(&mut self, end: char) -> Scan {
        self.skip_blanks()?;
        match self.peek() {
            Some(',') => {
                let comma = self.idx;
                self.idx += 1;
                self.skip_blanks()?;
                if self.peek() == Some(end) {
                    self.idx = comma;
                    return Err(self.error(&format!("a comma before `{end}`"), "no comma there", SEPARATORS));
                }
                Ok(())
            }
            Some(other) if other == end => Ok(()),
            _ if end == '}' => Err(self.unexpected("`,` or `}`", SEPARATORS)),
            _ => Err(self.unexpected("`,` or `]`", SEPARATORS)),
        }
    }

    /// Reads a text and returns it as it is written, without its quotes.
    fn string(&mut self) -> Result<String, JsonError> {
        self.idx += 1;
        let start = self.idx;
        loop {
            match self.peek() {
                Some('"') => break,
                Some('\\') => self.escape()?,
                Some('\n' | '\r') => return Err(self.error("a line break in a text", "`\"` or `\\n`", ESCAPES)),
                Some(other) if other < ' ' => {
                    let found = format!("the control character U+{:04X} in a text", u32::from(other));
                    return Err(self.error(&found, "an escape such as `\\t`", ESCAPES));
                }
                Some(other) => self.idx += other.len_utf8(),
                None => return Err(self.unexpected("`\"` at the end of a text", WHOLE_TEXT)),
            }
        }
        self.idx += 1;
        Ok(self.text[start..self.idx - 1].to_owned())
    }

    fn escape(&mut self) -> Scan {
        let is_unit = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let rest = self.rest();
        self.idx += match rest.chars().nth(1) {
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => 2,
            Some('u') if rest.get(2..6).is_some_and(is_unit) => 6,
            Some(_) => {
                let found = format!("`{}`", rest.chars().take(2).collect::<String>());
                return Err(self.error(&found, "an escape such as `\\n`", ESCAPES));
            }
            None => 1,
        };
        Ok(())
    }

    fn number(&mut self) -> Scan {
        let number = self.token();
        if serde_json::from_str::<serde_json::Number>(number).is_ok() {
            self.idx += number.len();
            return Ok(());
        }
        let found = quote(number);
        Err(match number.trim_start_matches(['-', '+']).parse::<f64>() {
            // `parse` also reads `inf` and `NaN`, and returns infinity for a number that is too
            // large.
            Ok(value) if !value.is_finite() => self.error(&found, "a finite number", FINITE),
            _ => self.error(&found, "a number", NUMBERS),
        })
    }

    fn word(&mut self) -> Scan {
        let word = self.token();
        let (expected, hint) = match word.to_ascii_lowercase().as_str() {
            _ if ["true", "false", "null"].contains(&word) => {
                self.idx += word.len();
                return Ok(());
            }
            "nan" | "inf" | "infinity" => ("a finite number", FINITE),
            "true" | "false" => ("`true` or `false`", "write `true` and `false` in lower case"),
            "null" | "none" | "nil" | "undefined" => ("`null`", "write `null`, or omit the field"),
            _ => ("a value", QUOTES),
        };
        Err(self.error(&quote(word), expected, hint))
    }

    /// Skips blanks.
    fn skip_blanks(&mut self) -> Scan {
        let rest = self.rest().trim_start_matches([' ', '\t', '\n', '\r']);
        self.idx = self.text.len() - rest.len();
        if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
            return Err(self.error("a comment", "JSON without comments", NO_COMMENTS));
        }
        match self.peek() {
            Some(blank) if blank.is_whitespace() || "\u{feff}\u{200b}".contains(blank) => {
                let found = format!("the invisible character U+{:04X}", u32::from(blank));
                Err(self.error(&found, "JSON", NO_INVISIBLE))
            }
            _ => Ok(()),
        }
    }

    /// Returns the error of the next character, which is not the expected one.
    fn unexpected(&self, expected: &'static str, hint: &'static str) -> JsonError {
        match self.peek() {
            None => self.error("the end of the text", expected, WHOLE_TEXT),
            _ if self.rest().starts_with(FENCE) => self.error("a Markdown code fence (```)", expected, NO_FENCE),
            Some('\'') => self.error("a single quote (')", expected, QUOTES),
            Some(quote @ ('“' | '”' | '„' | '‘' | '’')) => {
                self.error(&format!("a typographic quote ({quote})"), expected, QUOTES)
            }
            Some(other) if is_token(other) => self.error(&quote(self.token()), expected, hint),
            Some(other) => self.error(&format!("`{other}`"), expected, hint),
        }
    }

    fn error(&self, found: &str, expected: &'static str, hint: &'static str) -> JsonError {
        let before = &self.text[..self.idx];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        JsonError { path: self.path.concat(), position: (line, column), found: found.to_owned(), expected, hint }
    }

    /// Returns the number or the word that begins with the next character.
    fn token(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|other| !is_token(other)).unwrap_or(rest.len())]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.idx..]
    }
}

/// The line that begins and ends a block of code in Markdown.
const FENCE: &str = "```";

fn is_token(character: char) -> bool {
    character.is_alphanumeric() || "+-._".contains(character)
}

/// Quotes a word; a long one is shortened.
fn quote(word: &str) -> String {
    match word.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("`{}…`", &word[..end]),
        None => format!("`{word}`"),
    }
}
