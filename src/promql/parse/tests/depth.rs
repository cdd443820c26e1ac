//! Deep and long query texts, on a stack smaller than any executor's.

use super::*;
use crate::promql::QUERY_BYTES_MAX;

const STACK_BYTES: usize = 256 << 10;

fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

/// Texts nested `depth` deep, of all constructs that nest.
fn nested(depth: usize) -> Vec<String> {
    let around = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        around("(", "foo", ")"),
        around("-", "foo", ""),
        around("abs(", "foo", ")"),
        around("sum by (a) (", "foo", ")"),
        around("topk(1, ", "foo", ")"),
        around("1 ^ ", "1", ""),
        around("1 + ", "1", ""),
        around("", "foo", " + foo"),
        around("", "foo", " or on (a) foo"),
        around("foo and (", "foo", ")"),
        around("max_over_time(", "foo", "[5m:1m])"),
        around("label_replace(-(", "foo", " * 1), 'a', 'b', 'c', 'd')"),
        format!("foo[{}]", around("(", "5m", ")")),
        format!("foo[{}]", around("-(-", "5m", ")")),
        format!("foo offset {}", around("(1 + ", "5m", ")")),
        format!("foo[{}]", around("1 ^ ", "1", "")),
        format!("foo[{}]", around("max_of(1, ", "5m", ")")),
    ]
}

#[test]
fn what_is_within_the_limit_parses_prints_and_drops_on_a_small_stack() {
    on_small_stack(|| {
        let mut parsed = 0;
        for depth in 1..=usize::from(EXPR_DEPTH_MAX) {
            for text in nested(depth) {
                if let Ok(expr) = parse(&text, &STABLE) {
                    parsed += 1;
                    let _ = value_type(&expr);
                    assert!(!expr.to_string().is_empty());
                    assert_eq!(expr.clone(), expr);
                }
            }
        }
        assert!(parsed > 1_500);
    });
}

#[test]
fn reasonable_nesting_is_within_the_limit() {
    for text in nested(30) {
        assert_eq!(parse(&text, &STABLE).map(|_| ()), Ok(()), "{text}");
    }
}

#[test]
fn what_is_too_deep_is_an_error() {
    on_small_stack(|| {
        for depth in [usize::from(EXPR_DEPTH_MAX) + 1, 20_000] {
            for text in nested(depth) {
                let error = parse(&text, &STABLE).unwrap_err().to_string();
                assert!(error.contains("nested deeper than the limit of"), "{error}");
            }
        }
        let text = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(parse(&text, &STABLE).is_err());
        assert!(parse(&"(".repeat(100_000), &STABLE).is_err());
        assert!(parse(&"-".repeat(100_000), &STABLE).is_err());
        assert!(parse(&"1+".repeat(100_000), &STABLE).is_err());
    });
}

#[test]
fn a_text_may_be_wide_and_is_bounded() {
    let labels: Vec<String> = (0..20_000).map(|index| format!("l{index}")).collect();
    let text = format!("sum by ({}) (foo)", labels.join(", "));
    assert!(parse(&text, &STABLE).is_ok());
    let text = format!("foo{{a=~\"{}\"}}", "b|".repeat(10_000));
    assert!(parse(&text, &STABLE).is_ok());
    let text = " ".repeat(QUERY_BYTES_MAX + 1);
    let error = parse(&text, &STABLE).unwrap_err().to_string();
    assert_eq!(error, "1:1: parse error: query text of 1048577 bytes is longer than the limit of 1048576");
    assert!(parse_series_selector(&text).is_err());
}
