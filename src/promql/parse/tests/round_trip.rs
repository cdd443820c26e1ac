//! Printing and parsing again gives the same tree; no text makes the parser panic.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::promql::ast::{
    AggregateExpr, AggregateOp, CallExpr, Grouping, MatrixSelector, SubqueryExpr, VectorSelector,
};
use crate::promql::functions::Function;
use shards::model::MatchOp;

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn label_name() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        4 => "[a-z_][a-z0-9_]{0,6}",
        1 => "\\PC{1,6}".prop_filter("not U+FFFD", |name| !name.contains('\u{fffd}')),
        1 => select(vec!["by".to_owned(), "without".to_owned(), "Sum".to_owned(), "a.b".to_owned()]),
    ]
    .prop_map(Into::into)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z|.]{0,6}", ".{0,6}", select(vec!["\"'`\\".to_owned(), "\n\t\u{7f}".to_owned()])]
        .prop_filter("not U+FFFD", |text| !text.contains('\u{fffd}'))
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    (label_name(), op, text())
        .prop_filter_map("a regex that compiles", |(name, op, value)| Matcher::new(op, &name, &value).ok())
}

fn at() -> impl Strategy<Value = Option<AtModifier>> {
    option::of(prop_oneof![
        (-1_000_000_000_000..1_000_000_000_000_i64).prop_map(AtModifier::Timestamp),
        Just(AtModifier::Start),
        Just(AtModifier::End),
    ])
}

fn offset_ms() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -1_000_000_000_000..1_000_000_000_000_i64]
}

fn vector() -> impl Strategy<Value = VectorSelector> {
    let name = option::of(
        "[a-z_:][a-z0-9_:]{0,6}"
            .prop_filter("not a keyword", |name| !matches!(name.as_str(), "on" | "bool" | "inf" | "nan")),
    );
    (name, vec(matcher(), 0..3), offset_ms(), at()).prop_map(|(name, mut matchers, offset_ms, at)| {
        // Those of the canonical order, without a second name, and at least one that selects.
        matchers.retain(|matcher| matcher.name() != "__name__");
        matchers.sort_by_key(matcher_text);
        if name.is_none() && matchers.iter().all(Matcher::matches_empty) {
            matchers = vec![Matcher::new(MatchOp::Equal, "__name__", "x").unwrap()];
        }
        let name: Option<Arc<str>> = name.map(Into::into);
        if let Some(name) = &name {
            matchers.push(Matcher::new(MatchOp::Equal, "__name__", name).unwrap());
        }
        VectorSelector { name, matchers, offset_ms, at }
    })
}

/// The printed form, by which the printer sorts.
fn matcher_text(matcher: &Matcher) -> String {
    let selector = VectorSelector { name: None, matchers: vec![matcher.clone()], offset_ms: 0, at: None };
    expr(ExprKind::Vector(Box::new(selector))).to_string()
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        -100.0..100.0_f64,
        any::<f64>().prop_filter("equals itself", |value| !value.is_nan()),
        select(vec![0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e-300]),
    ]
}

fn matrix() -> impl Strategy<Value = Expr> {
    (vector(), 1..1_000_000_000_000_i64).prop_map(|(vector, range_ms)| {
        expr(ExprKind::Matrix(Box::new(MatrixSelector { vector, vector_span: Span::default(), range_ms })))
    })
}

fn grouping() -> impl Strategy<Value = Grouping> {
    (any::<bool>(), vec(label_name(), 0..3)).prop_map(|(without, labels)| Grouping { without, labels })
}

fn paren(inner: Expr) -> Expr {
    expr(ExprKind::Paren(Box::new(inner)))
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let function = Function::by_name(name).unwrap();
    expr(ExprKind::Call(Box::new(CallExpr { function, name_span: Span::default(), args })))
}

/// Checked expressions that are instant vectors.
fn tree() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        vector().prop_map(|vector| expr(ExprKind::Vector(Box::new(vector)))),
        matrix().prop_map(|matrix| call("rate", vec![matrix])),
        number().prop_map(|value| call("vector", vec![expr(ExprKind::Number(value))])),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(paren),
            (any::<bool>(), inner.clone()).prop_map(|(negative, operand)| {
                expr(ExprKind::Unary(Box::new(UnaryExpr { negative, operand: paren(operand) })))
            }),
            binary(inner.clone()),
            aggregate(inner.clone()),
            (inner.clone(), 1..10_000_000_i64, option::of(1..10_000_000_i64), offset_ms(), at()).prop_map(
                |(inner, range_ms, step_ms, offset_ms, at)| {
                    let subquery = SubqueryExpr { expr: paren(inner), range_ms, step_ms, offset_ms, at };
                    call("max_over_time", vec![expr(ExprKind::Subquery(Box::new(subquery)))])
                }
            ),
            (inner.clone(), number())
                .prop_map(|(vector, number)| { call("round", vec![vector, expr(ExprKind::Number(number))]) }),
            (inner, text(), text(), text(), text()).prop_map(|(vector, a, b, c, d)| {
                let strings = [a, b, c, d].map(|text| expr(ExprKind::String(text)));
                call("label_replace", std::iter::once(vector).chain(strings).collect())
            }),
        ]
    })
}

fn binary(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    let op = select(vec![
        BinaryOp::Add,
        BinaryOp::Atan2,
        BinaryOp::Pow,
        BinaryOp::Less,
        BinaryOp::NotEqual,
        BinaryOp::And,
        BinaryOp::Unless,
    ]);
    let labels = || vec(label_name(), 0..3);
    let cardinality = select(vec![Cardinality::OneToOne, Cardinality::ManyToOne, Cardinality::OneToMany]);
    (op, inner.clone(), inner, any::<bool>(), cardinality, any::<bool>(), labels(), labels()).prop_map(
        |(op, left, right, return_bool, cardinality, on, labels, mut include)| {
            let cardinality = if op.is_set() { Cardinality::ManyToMany } else { cardinality };
            if matches!(cardinality, Cardinality::OneToOne | Cardinality::ManyToMany) {
                include.clear();
            }
            include.retain(|label| !labels.contains(label));
            expr(ExprKind::Binary(Box::new(BinaryExpr {
                op,
                op_span: Span::default(),
                left: paren(left),
                right: paren(right),
                return_bool: return_bool && op.is_comparison(),
                matching: Some(VectorMatching { cardinality, on, labels, include }),
            })))
        },
    )
}

fn aggregate(inner: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    let op = select(vec![AggregateOp::Sum, AggregateOp::TopK, AggregateOp::CountValues]);
    (op, grouping(), inner, number(), text()).prop_map(|(op, grouping, operand, number, text)| {
        let parameter = match op {
            AggregateOp::CountValues => Some(ExprKind::String(text)),
            AggregateOp::TopK => Some(ExprKind::Number(number)),
            _ => None,
        };
        let parameter = parameter.map(expr);
        expr(ExprKind::Aggregate(Box::new(AggregateExpr { op, grouping, parameter, operand })))
    })
}

/// The tree without its places.
fn without_places(mut tree: Expr) -> Expr {
    forget_places(&mut tree);
    tree
}

fn forget_places(tree: &mut Expr) {
    tree.span = Span::default();
    match &mut tree.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Vector(_) => {}
        ExprKind::Matrix(matrix) => matrix.vector_span = Span::default(),
        ExprKind::Paren(inner) => forget_places(inner),
        ExprKind::Unary(unary) => forget_places(&mut unary.operand),
        ExprKind::Subquery(subquery) => forget_places(&mut subquery.expr),
        ExprKind::Binary(binary) => {
            binary.op_span = Span::default();
            forget_places(&mut binary.left);
            forget_places(&mut binary.right);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.parameter.iter_mut().for_each(forget_places);
            forget_places(&mut aggregate.operand);
        }
        ExprKind::Call(call) => {
            call.name_span = Span::default();
            call.args.iter_mut().for_each(forget_places);
        }
    }
}

/// Text made of what queries are made of.
fn tokens() -> impl Strategy<Value = String> {
    const WORDS: &str = "foo bar:x sum by without on ignoring group_left group_right bool offset start end \
        rate abs topk count_values and or unless atan2 inf nan 1 0x1 5m 1h30m -2 1e3 .5 'a' \"b\" `c` \
        ( ) [ ] { } , : = == != =~ !~ < <= > >= + - * / % ^ @ # \n ( ) ( ) [5m] {a=\"b\"} [5m:1m] max_of fill";
    let words: Vec<String> = WORDS.split_ascii_whitespace().map(str::to_owned).collect();
    vec(select(words), 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn printed_trees_parse_to_themselves(tree in tree()) {
        let text = tree.to_string();
        match parse(&text, &EXPERIMENTAL) {
            Ok(parsed) => prop_assert_eq!(without_places(parsed), tree, "{}", text),
            Err(error) => prop_assert!(false, "{}: {}", text, error),
        }
    }

    #[test]
    fn noise_does_not_panic(text in ".{0,80}") {
        let _ = parse(&text, &STABLE);
        let _ = parse_series_selector(&text);
    }

    #[test]
    fn what_parses_prints_to_what_parses_the_same(text in tokens()) {
        if let Ok(expr) = parse(&text, &EXPERIMENTAL) {
            let again = expr.to_string();
            prop_assert_eq!(parse(&again, &EXPERIMENTAL).map(|expr| expr.to_string()), Ok(again));
        }
    }

    #[test]
    fn errors_point_into_the_text(text in tokens()) {
        if let Err(error) = parse(&text, &STABLE) {
            prop_assert!(error.span.start <= error.span.end);
            prop_assert!(error.span.end as usize <= text.len());
        }
    }
}
