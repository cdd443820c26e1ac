//! One line of the text exposition format of Prometheus.

use shards::model::{LabelsBuilder, METRIC_NAME, MetricType};

/// What a line says.
#[derive(Debug)]
pub(super) enum Line {
    /// Blank, or a comment for people.
    Nothing,
    Family {
        name: String,
        metric_type: Option<MetricType>,
        help: Option<String>,
    },
    Sample {
        labels: LabelsBuilder,
        value: f64,
        timestamp_ms: Option<i64>,
    },
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {column}")]
pub(super) struct LineFault {
    what: &'static str,
    column: usize,
}

pub(super) fn parse_line(line: &str) -> Result<Line, LineFault> {
    let mut reader = Reader { line, rest: line };
    reader.skip_blanks();
    if reader.rest.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(comment) = reader.rest.strip_prefix('#') {
        return Ok(family(comment.trim_start_matches([' ', '\t'])).unwrap_or(Line::Nothing));
    }
    reader.sample()
}

fn family(comment: &str) -> Option<Line> {
    let (keyword, rest) = comment.split_once([' ', '\t'])?;
    let (name, text) = rest.trim_start().split_once([' ', '\t']).unwrap_or((rest.trim(), ""));
    let name = name.trim_matches('"').to_owned();
    match keyword {
        "TYPE" => {
            let metric_type = match text.trim() {
                "counter" => MetricType::Counter,
                "gauge" => MetricType::Gauge,
                "histogram" => MetricType::Histogram,
                "summary" => MetricType::Summary,
                _ => MetricType::Unknown,
            };
            Some(Line::Family { name, metric_type: Some(metric_type), help: None })
        }
        "HELP" => {
            let help = text.replace("\\n", "\n").replace("\\\\", "\\");
            Some(Line::Family { name, metric_type: None, help: Some(help) })
        }
        _ => None,
    }
}

struct Reader<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn fault<T>(&self, what: &'static str) -> Result<T, LineFault> {
        Err(LineFault { what, column: self.line.len() - self.rest.len() + 1 })
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
    }

    fn take(&mut self, character: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(character) else { return false };
        self.rest = rest;
        true
    }

    /// What comes before the first character that `ends` it.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (token, rest) = self
            .rest
            .split_at_checked(self.rest.find(ends).unwrap_or(self.rest.len()))
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        token
    }

    fn sample(mut self) -> Result<Line, LineFault> {
        let mut labels = LabelsBuilder::new();
        let name = self.until(|c| matches!(c, '{' | ' ' | '\t' | '"' | '}' | '=' | ','));
        if self.take('{') {
            self.labels(&mut labels)?;
        } else if name.is_empty() {
            return self.fault("a metric name is missing");
        }
        if !name.is_empty() {
            labels.set(METRIC_NAME, name);
        }
        if labels.get(METRIC_NAME).is_none() {
            return self.fault("a metric name is missing");
        }
        self.skip_blanks();
        let Ok(value) = self.until(|c| matches!(c, ' ' | '\t' | '\r')).parse() else {
            return self.fault("a value is missing or no number");
        };
        self.skip_blanks();
        let timestamp_ms = match self.until(|c| matches!(c, ' ' | '\t' | '\r' | '#')) {
            "" => None,
            text => match text.parse() {
                Ok(timestamp_ms) => Some(timestamp_ms),
                Err(_) => return self.fault("the timestamp is not in milliseconds"),
            },
        };
        self.skip_blanks();
        // An exemplar follows in OpenMetrics; it is not ours to send.
        if !self.rest.is_empty() && !self.rest.starts_with('#') {
            return self.fault("the line goes on after its end");
        }
        Ok(Line::Sample { labels, value, timestamp_ms })
    }

    /// Pairs up to the closing brace. A quoted text that stands alone is the metric name.
    fn labels(&mut self, labels: &mut LabelsBuilder) -> Result<(), LineFault> {
        loop {
            self.skip_blanks();
            if self.take('}') {
                return Ok(());
            }
            let is_quoted = self.rest.starts_with('"');
            let name = if is_quoted {
                self.quoted()?
            } else {
                self.until(|c| matches!(c, '=' | ' ' | '\t' | ',' | '}')).to_owned()
            };
            self.skip_blanks();
            if self.take('=') {
                self.skip_blanks();
                let value = self.quoted()?;
                if name.is_empty() {
                    return self.fault("a label name is missing");
                }
                labels.set(&name, &value);
            } else if is_quoted {
                labels.set(METRIC_NAME, &name);
            } else {
                return self.fault("a label has no value");
            }
            self.skip_blanks();
            if !self.take(',') && !self.rest.starts_with('}') {
                return self.fault("a comma or closing brace is missing");
            }
        }
    }

    fn quoted(&mut self) -> Result<String, LineFault> {
        if !self.take('"') {
            return self.fault("a quote is missing");
        }
        let mut text = String::new();
        loop {
            text.push_str(self.until(|c| matches!(c, '"' | '\\')));
            if self.take('"') {
                return Ok(text);
            }
            if !self.take('\\') {
                return self.fault("the closing quote is missing");
            }
            let mut rest = self.rest.chars();
            match rest.next() {
                Some('n') => text.push('\n'),
                Some(character @ ('"' | '\\')) => text.push(character),
                Some(other) => text.extend(['\\', other]),
                None => return self.fault("the closing quote is missing"),
            }
            self.rest = rest.as_str();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: &str) -> (String, f64, Option<i64>) {
        match parse_line(line) {
            Ok(Line::Sample { labels, value, timestamp_ms }) => {
                (labels.build().to_string(), value, timestamp_ms)
            }
            other => panic!("{line:?} gives {other:?}"),
        }
    }

    #[test]
    fn samples_are_read_in_all_their_forms() {
        assert_eq!(sample("up 1"), (r#"{__name__="up"}"#.to_owned(), 1.0, None));
        assert_eq!(sample("  up{} 1e3 1700\r"), (r#"{__name__="up"}"#.to_owned(), 1000.0, Some(1700)));
        assert_eq!(
            sample(r#"a_b:c{ x = "1\n\"\\z" , y="2", } -Inf -5"#),
            (r#"{__name__="a_b:c", x="1\n\"\\z", y="2"}"#.to_owned(), f64::NEG_INFINITY, Some(-5))
        );
        assert_eq!(
            sample(r#"{"http.status","x y"="z"} 0 # {id="1"} 1"#),
            (r#"{__name__="http.status", x y="z"}"#.to_owned(), 0.0, None)
        );
        assert!(sample("up NaN").1.is_nan());
    }

    #[test]
    fn families_and_comments_are_told_apart() {
        assert!(matches!(
            parse_line("# TYPE a counter"),
            Ok(Line::Family { metric_type: Some(MetricType::Counter), .. })
        ));
        assert!(
            matches!(parse_line(r"# HELP a b\\c\nd"), Ok(Line::Family { help: Some(help), .. }) if help == "b\\c\nd")
        );
        for line in ["", "  ", "# EOF", "#", "# hello you"] {
            assert!(matches!(parse_line(line), Ok(Line::Nothing)), "{line:?}");
        }
    }

    #[test]
    fn faults_name_their_column() {
        for (line, fault) in [
            ("up", "a value is missing or no number at column 3"),
            ("up one", "a value is missing or no number at column 7"),
            ("up 1 2 3", "the line goes on after its end at column 8"),
            ("up 1 x", "the timestamp is not in milliseconds at column 7"),
            ("{} 1", "a metric name is missing at column 3"),
            ("up{a} 1", "a label has no value at column 5"),
            ("up{a=\"b} 1", "the closing quote is missing at column 11"),
            ("up{a=\"b\" c=\"d\"} 1", "a comma or closing brace is missing at column 10"),
            ("up{a=b} 1", "a quote is missing at column 6"),
        ] {
            assert_eq!(parse_line(line).unwrap_err().to_string(), fault, "{line}");
        }
    }
}
