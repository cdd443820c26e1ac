//! What parses and to which tree; the messages of what does not, which are those of upstream.

mod depth;
mod errors;
mod round_trip;

use super::*;
use crate::promql::ast::{AtModifier, ValueType};
use crate::promql::{ParserOptions, parse, parse_series_selector, value_type};

const STABLE: ParserOptions = ParserOptions { experimental_functions: false };
const EXPERIMENTAL: ParserOptions = ParserOptions { experimental_functions: true };

fn printed(text: &str) -> String {
    match parse(text, &EXPERIMENTAL) {
        Ok(expr) => expr.to_string(),
        Err(error) => panic!("{text}: {error}"),
    }
}

/// Text of the tree with parentheses around every operation.
fn grouped(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Binary(binary) => {
            format!("({} {} {})", grouped(&binary.left), binary.op.as_str(), grouped(&binary.right))
        }
        ExprKind::Unary(unary) => {
            format!("({}{})", if unary.negative { '-' } else { '+' }, grouped(&unary.operand))
        }
        _ => expr.to_string(),
    }
}

#[test]
fn operators_group_by_precedence() {
    for (text, expected) in [
        ("a + b * c", "(a + (b * c))"),
        ("a * b + c", "((a * b) + c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("a * b ^ c * d", "((a * (b ^ c)) * d)"),
        ("-a ^ b", "(-(a ^ b))"),
        ("-a * b", "((-a) * b)"),
        ("a ^ -b * c", "((a ^ (-b)) * c)"),
        ("a % b atan2 c / d", "(((a % b) atan2 c) / d)"),
        ("a == b + c", "(a == (b + c))"),
        ("a < b > c", "((a < b) > c)"),
        ("a or b and c", "(a or (b and c))"),
        ("a and b or c unless d", "((a and b) or (c unless d))"),
        ("a unless b and c", "((a unless b) and c)"),
        ("a or b == c", "(a or (b == c))"),
        ("a OR b AnD c", "(a or (b and c))"),
        ("- - a", "(-(-a))"),
    ] {
        assert_eq!(grouped(&parse(text, &STABLE).unwrap()), expected, "{text}");
    }
}

#[test]
fn expressions_print_canonically() {
    for (text, expected) in [
        ("foo", "foo"),
        ("a:b:c", "a:b:c"),
        (":a", ":a"),
        ("foo { b = \"2\" , a != '1', }", r#"foo{a!="1",b="2"}"#),
        ("foo{}", "foo"),
        (r#"{"my.metric", "a.b"="c"}"#, r#"{"a.b"="c",__name__="my.metric"}"#),
        (r#"{__name__=~"a|b", c!~`\d`}"#, r#"{__name__=~"a|b",c!~"\\d"}"#),
        ("sum{a=\"b\"}", r#"sum{a="b"}"#),
        ("SUM(foo)", "sum(foo)"),
        ("sum(foo) by (a,)", "sum by (a) (foo)"),
        ("sum by (a, b) (foo)", "sum by (a, b) (foo)"),
        ("sum by () (foo)", "sum(foo)"),
        ("avg without () (foo)", "avg without () (foo)"),
        (r#"max by ("a b", c, by, "d") (foo)"#, r#"max by ("a b", c, by, d) (foo)"#),
        ("topk by (x) (3, foo)", "topk by (x) (3, foo)"),
        ("quantile(0.9, foo) without (y)", "quantile without (y) (0.9, foo)"),
        (r#"count_values("v", foo)"#, r#"count_values("v", foo)"#),
        ("limit_ratio(-0.5, foo)", "limit_ratio(-0.5, foo)"),
        ("foo + on() bar", "foo + on () bar"),
        ("foo + ignoring() bar", "foo + bar"),
        ("foo * on(a,b) group_left bar", "foo * on (a, b) group_left () bar"),
        ("foo / ignoring(a) group_right(b,) bar", "foo / ignoring (a) group_right (b) bar"),
        ("foo * on(a) group_left (b) (bar)", "foo * on (a) group_left (b) (bar)"),
        ("foo > bool on(a) bar", "foo > bool on (a) bar"),
        ("foo and on(a) bar", "foo and on (a) bar"),
        ("1 == bool 2", "1 == bool 2"),
        ("foo offset 5m", "foo offset 5m"),
        ("foo OFFSET -90s", "foo offset -1m30s"),
        ("foo offset 1h30m @ 12.3456", "foo @ 12.346 offset 1h30m"),
        ("foo @ -1.5", "foo @ -1.500"),
        ("foo @ 5m", "foo @ 300.000"),
        ("foo @ start()", "foo @ start()"),
        ("foo[5m] @ end() offset 1d", "foo[5m] @ end() offset 1d"),
        ("foo{a=\"b\"}[90m]", r#"foo{a="b"}[1h30m]"#),
        ("foo[300]", "foo[5m]"),
        ("foo[5m:]", "foo[5m:]"),
        ("rate(foo[5m])[1h:30s] offset 1w", "rate(foo[5m])[1h:30s] offset 1w"),
        ("(foo)[5m:1.5] @ 3", "(foo)[5m:1s500ms] @ 3.000"),
        ("+foo", "+foo"),
        ("-foo", "-foo"),
        ("-1", "-1"),
        ("+ - + 1", "-1"),
        ("-Inf", "-Inf"),
        ("INF", "+Inf"),
        ("nAn", "NaN"),
        ("1e3", "1000"),
        ("0x1F + 010 + 1_000", "31 + 8 + 1000"),
        ("1h30m", "5400"),
        ("\"a\\n\\\"\"", r#""a\n\"""#),
        ("'a\"'", r#""a\"""#),
        ("`a\\n`", r#""a\\n""#),
        ("label_replace(foo, 'a', `$1`, \"b\", \"(.*)\")", r#"label_replace(foo, "a", "$1", "b", "(.*)")"#),
        ("label_join(foo, \"a\", \",\")", r#"label_join(foo, "a", ",")"#),
        ("round(foo) + round(foo, 5)", "round(foo) + round(foo, 5)"),
        ("hour()", "hour()"),
        ("info(foo, {a=~\".*\"})", r#"info(foo, {a=~".*"})"#),
        ("start() + step()", "start() + step()"),
        ("fill + fill", "fill + fill"),
        ("offset offset 5m", "offset offset 5m"),
        ("and and and", "and and and"),
        ("by", "by"),
        ("foo # comment\n + # another\n bar", "foo + bar"),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn constant_durations_are_computed() {
    for (text, expected) in [
        ("foo[5m + 30s]", "foo[5m30s]"),
        ("foo[2 * 5m]", "foo[10m]"),
        ("foo[1h / 2:(1m - 30s)]", "foo[30m:30s]"),
        ("foo[2 ^ 3 ^ 2]", "foo[8m32s]"),
        ("foo[-(2s - 7s)]", "foo[5s]"),
        ("foo[-2 ^ 2 + 10]", "foo[6s]"),
        ("foo[1h30m % 1h]", "foo[30m]"),
        ("foo[MAX_OF(1m, 2m) + min_of(1, 2)]", "foo[2m1s]"),
        ("foo offset (2 * 5m)", "foo offset 10m"),
        ("foo offset -(5m)", "foo offset -5m"),
        ("foo offset - - 5m", "foo offset 5m"),
        ("foo offset (5m) + 3", "foo offset 5m3s"),
        ("foo offset 5m + 3", "foo offset 5m + 3"),
        ("foo offset -5m * 3", "foo offset -5m * 3"),
        ("foo offset -(5m) + 3", "foo offset -5m + 3"),
        ("foo offset max_of(1, 2) + 3", "foo offset 2s + 3"),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn every_node_knows_its_place() {
    let text = " sum by (a) ( rate(foo{b=\"c\"}[5m] offset 1m) ) > bool (2)";
    let part = |span: Span| &text[span.start as usize..span.end as usize];
    let expr = parse(text, &STABLE).unwrap();
    assert_eq!(part(expr.span), text.trim());
    let ExprKind::Binary(binary) = &expr.kind else { panic!("{expr:?}") };
    assert_eq!(part(binary.op_span), ">");
    assert_eq!(part(binary.right.span), "(2)");
    let ExprKind::Aggregate(sum) = &binary.left.kind else { panic!("{expr:?}") };
    assert_eq!(part(binary.left.span), "sum by (a) ( rate(foo{b=\"c\"}[5m] offset 1m) )");
    let ExprKind::Call(rate) = &sum.operand.kind else { panic!("{expr:?}") };
    assert_eq!(part(rate.name_span), "rate");
    let arg = rate.args.first().unwrap();
    assert_eq!(part(arg.span), "foo{b=\"c\"}[5m] offset 1m");
    let ExprKind::Matrix(matrix) = &arg.kind else { panic!("{expr:?}") };
    assert_eq!(part(matrix.vector_span), "foo{b=\"c\"}");
}

#[test]
fn modifiers_land_in_the_tree() {
    let ExprKind::Vector(vector) = parse("foo offset -1m @ 1.5", &STABLE).unwrap().kind else { panic!() };
    assert_eq!((vector.offset_ms, vector.at), (-60_000, Some(AtModifier::Timestamp(1_500))));
    assert_eq!(vector.name.as_deref(), Some("foo"));
    assert_eq!(vector.matchers.len(), 1);
    let ExprKind::Vector(vector) = parse("{\"foo\"}", &STABLE).unwrap().kind else { panic!() };
    assert_eq!(vector.name, None);
    assert_eq!(vector.matchers.first().map(Matcher::value), Some("foo"));
}

#[test]
fn matching_stays_only_between_vectors() {
    let matching = |text: &str| {
        let ExprKind::Binary(binary) = parse(text, &STABLE).unwrap().kind else { panic!() };
        binary.matching.map(|matching| matching.cardinality)
    };
    assert_eq!(matching("1 + 1"), None);
    assert_eq!(matching("1 + foo"), None);
    assert_eq!(matching("foo + bar"), Some(Cardinality::OneToOne));
    assert_eq!(matching("foo and on(a) bar"), Some(Cardinality::ManyToMany));
    assert_eq!(matching("foo + on(a) group_left bar"), Some(Cardinality::ManyToOne));
    assert_eq!(matching("foo + on(a) group_right bar"), Some(Cardinality::OneToMany));
}

#[test]
fn types_follow_the_operands() {
    let of = |text: &str| value_type(&parse(text, &STABLE).unwrap());
    assert_eq!(of("1 + 2 * 3"), ValueType::Scalar);
    assert_eq!(of("-(1 + foo)"), ValueType::Vector);
    assert_eq!(of("'a'"), ValueType::String);
    assert_eq!(of("('a')"), ValueType::String);
    assert_eq!(of("foo[5m]"), ValueType::Matrix);
    assert_eq!(of("foo[5m:]"), ValueType::Matrix);
    assert_eq!(of("scalar(foo)"), ValueType::Scalar);
    assert_eq!(of("time() > bool 1"), ValueType::Scalar);
    assert_eq!(of("sum(foo)"), ValueType::Vector);
}

#[test]
fn series_selectors_stand_alone() {
    let texts = |text: &str| -> Vec<String> {
        parse_series_selector(text)
            .unwrap()
            .iter()
            .map(|matcher| format!("{}{}{}", matcher.name(), matcher.op().as_str(), matcher.value()))
            .collect()
    };
    assert_eq!(texts(" up{job=~'a|b'} "), ["job=~a|b", "__name__=up"]);
    assert_eq!(texts("sum"), ["__name__=sum"]);
    assert_eq!(texts("{a=\"\"}"), ["a="]);
    assert!(texts("{}").is_empty());
    for (text, message) in [
        ("", "1:1: parse error: unexpected end of input"),
        ("1", "1:1: parse error: unexpected number \"1\""),
        ("up[5m]", "1:3: parse error: unexpected \"[\""),
        ("up offset 5m", "1:4: parse error: unexpected <offset>"),
        ("rate(up[5m])", "1:5: parse error: unexpected \"(\""),
        ("up{", "1:4: parse error: unexpected end of input inside braces"),
    ] {
        assert_eq!(parse_series_selector(text).unwrap_err().to_string(), message, "{text}");
    }
}
