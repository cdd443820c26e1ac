//! The highest trees the parser lets through are planned and evaluated on a small stack.

use tsdb::promql::{EXPR_DEPTH_MAX, ParserOptions, parse};

use crate::host::Host;
use crate::script::{Command, Times, parse as parse_script};

/// Less than any executor has.
const STACK_BYTES: usize = 256 << 10;

/// Texts that nest as deep as the parser allows.
fn deep() -> Vec<String> {
    let around = |open: &str, inner: &str, close: &str| {
        // The deepest that still parses.
        (1..=usize::from(EXPR_DEPTH_MAX))
            .map(|depth| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth)))
            .rfind(|text| parse(text, &ParserOptions::default()).is_ok())
            .unwrap_or_default()
    };
    vec![
        around("(", "a", ")"),
        around("-", "a", ""),
        around("abs(", "a", ")"),
        around("sum by (x) (", "a", ")"),
        around("topk(1, ", "a", ")"),
        around("max_over_time(", "a", "[5m:1m])"),
        around("", "a", " + a"),
        around("", "a", " or a"),
        around("1 ^ ", "a", ""),
        around("", "1", " * 1"),
        around("scalar(vector(", "1", "))"),
    ]
}

#[test]
fn the_highest_trees_are_planned_and_evaluated_on_a_small_stack() {
    let run = || {
        let mut host = Host::default();
        for command in parse_script("load 1m\n  a{x=\"1\"} 1 2 3\n").unwrap() {
            if let Command::Load(load) = command {
                host.load(&load);
            }
        }
        for text in deep().iter().filter(|text| !text.is_empty()) {
            let expr = parse(text, &ParserOptions::default()).unwrap();
            for times in [
                Times::Instant { time_ms: 120_000 },
                Times::Range { start_ms: 0, end_ms: 120_000, step_ms: 60_000 },
            ] {
                // A limit may refuse it, but the stack suffices.
                let _ = host.query(&expr, times, false);
            }
        }
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}
