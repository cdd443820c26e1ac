//! The PromQL parser: no text makes it panic, and what it accepts prints to text that it accepts
//! again and prints the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::promql::{ParserOptions, line_column, parse, parse_series_selector, value_type};

fuzz_target!(|text: &str| {
    for experimental_functions in [false, true] {
        let options = ParserOptions { experimental_functions };
        match parse(text, &options) {
            Ok(expr) => {
                let _ = value_type(&expr);
                let printed = expr.to_string();
                match parse(&printed, &options) {
                    Ok(again) => assert_eq!(again.to_string(), printed, "of {text:?}"),
                    Err(error) => panic!("{text:?} prints as {printed:?}: {error}"),
                }
            }
            Err(error) => {
                assert!(error.span.start <= error.span.end, "{text:?}: {error:?}");
                assert!(error.span.end as usize <= text.len(), "{text:?}: {error:?}");
                assert_eq!((error.line, error.column), line_column(text, error.span.start));
            }
        }
    }
    let _ = parse_series_selector(text);
});
