//! One line of the text format, read from left to right.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::borrow::Cow;

use shards::model::METRIC_NAME;

/// Longest part of a line that an error repeats.
const SHOWN_BYTES_MAX: usize = 60;

/// Labels of a sample, the metric name among them, in the order of the line.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What is left of a line; never begins with a blank.
pub(super) struct Line<'a> {
    rest: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        let mut line = Self { rest: line };
        line.skip_blanks();
        line
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes one character if it is the next.
    pub(super) fn take(&mut self, character: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(character) else { return false };
        self.rest = rest;
        self.skip_blanks();
        true
    }

    /// Everything up to the next blank.
    pub(super) fn word(&mut self) -> &'a str {
        let end = self.rest.find([' ', '\t']).unwrap_or(self.rest.len());
        self.split(end)
    }

    /// The name in a HELP or TYPE line, plain or in quotes.
    pub(super) fn family_name(&mut self) -> Result<Cow<'a, str>, String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        match self.name(is_metric_char) {
            "" => Err(format!("expected a metric name, found {}", self.shown())),
            name => Ok(Cow::Borrowed(name)),
        }
    }

    /// The rest of a HELP line.
    pub(super) fn help(&mut self) -> String {
        let text = std::mem::take(&mut self.rest);
        let mut out = String::with_capacity(text.len());
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match (character, characters.peek()) {
                ('\\', Some('\\')) => {
                    characters.next();
                    out.push('\\');
                }
                ('\\', Some('n')) => {
                    characters.next();
                    out.push('\n');
                }
                _ => out.push(character),
            }
        }
        out
    }

    /// Asserts that nothing is left.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(format!("expected the end of the line, found {}", self.shown()))
        }
    }

    /// A whole sample line: its labels are added to `pairs`; value and, if there, time come back.
    pub(super) fn sample(&mut self, pairs: &mut Pairs<'a>) -> Result<(f64, Option<i64>), String> {
        let name = self.name(is_metric_char);
        if !name.is_empty() {
            pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
        }
        if self.take('{') {
            self.labels(pairs)?;
        } else if name.is_empty() {
            return Err(format!("expected a metric name, found {}", self.shown()));
        }
        if !pairs.iter().any(|(name, _)| name == METRIC_NAME) {
            return Err("sample without a metric name".into());
        }
        let value = match self.word() {
            "" => return Err("sample without a value".into()),
            word => number(word).ok_or_else(|| format!("{} is not a number", shown(word)))?,
        };
        let timestamp_ms = match self.word() {
            "" => None,
            word => {
                let time = word.parse().map_err(|_| format!("{} is not a timestamp", shown(word)))?;
                Some(time)
            }
        };
        self.end()?;
        Ok((value, timestamp_ms))
    }

    /// What is between the braces, and the closing one.
    fn labels(&mut self, pairs: &mut Pairs<'a>) -> Result<(), String> {
        while !self.take('}') {
            let is_quoted = self.rest.starts_with('"');
            let name = if is_quoted { self.quoted()? } else { Cow::Borrowed(self.name(is_label_char)) };
            if name.is_empty() {
                return Err(format!("expected a label name, found {}", self.shown()));
            }
            if self.take('=') {
                if !self.rest.starts_with('"') {
                    return Err(format!("expected a label value in quotes, found {}", self.shown()));
                }
                let value = self.quoted()?;
                pairs.push((name, value));
            } else if is_quoted {
                // A text in quotes alone is the metric name.
                pairs.push((Cow::Borrowed(METRIC_NAME), name));
            } else {
                return Err(format!("expected = behind label {}, found {}", shown(&name), self.shown()));
            }
            if !self.take(',') && !self.rest.starts_with('}') {
                return Err(format!("expected , or }} between labels, found {}", self.shown()));
            }
        }
        Ok(())
    }

    /// A text in quotes without its escapes; the next character is the opening quote.
    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        let text = self.rest.strip_prefix('"').unwrap_or(self.rest);
        let plain = text.find(['"', '\\']).ok_or("text in quotes without its end")?;
        let (head, tail) = text.split_at(plain);
        if let Some(rest) = tail.strip_prefix('"') {
            self.rest = rest;
            self.skip_blanks();
            return Ok(Cow::Borrowed(head));
        }
        let mut out = String::from(head);
        let mut characters = tail.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => {
                    self.rest = characters.as_str();
                    self.skip_blanks();
                    return Ok(Cow::Owned(out));
                }
                '\\' => match characters.next() {
                    Some('n') => out.push('\n'),
                    Some(escaped @ ('\\' | '"')) => out.push(escaped),
                    Some(other) => return Err(format!("unknown escape \\{other}")),
                    None => break,
                },
                other => out.push(other),
            }
        }
        Err("text in quotes without its end".into())
    }

    /// As many characters as a name may have; it does not begin with a digit.
    fn name(&mut self, allowed: fn(char) -> bool) -> &'a str {
        if self.rest.starts_with(|character: char| character.is_ascii_digit()) {
            return "";
        }
        let end = self.rest.find(|character| !allowed(character)).unwrap_or(self.rest.len());
        self.split(end)
    }

    fn split(&mut self, end: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(end);
        self.rest = tail;
        self.skip_blanks();
        head
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn shown(&self) -> String {
        shown(self.rest)
    }
}

/// The beginning of what is at fault.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() {
        return "the end of the line".into();
    }
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    let head = text.get(..end).unwrap_or_default();
    if end < text.len() { format!("{head:?}...") } else { format!("{head:?}") }
}

fn is_metric_char(character: char) -> bool {
    is_label_char(character) || character == ':'
}

fn is_label_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// A number as Go reads it: decimal, or one of the words for what is not finite, in any case.
fn number(word: &str) -> Option<f64> {
    let value = word.parse::<f64>().ok()?;
    // NaN has one bit pattern on purpose: no text can name a staleness marker.
    Some(if value.is_nan() { f64::NAN } else { value })
}
