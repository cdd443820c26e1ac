//! The signatures of all functions of PromQL 3.14, experimental ones included.
//!
//! Invariants: sorted by name; one entry per [`FunctionId`], in the order of its variants.

use super::{Function, FunctionId};
use crate::promql::ast::ValueType::{self, Matrix, Scalar, String, Vector};

/// Longest list of quantiles that `histogram_quantiles` takes, beyond the first one.
const QUANTILES_MORE_MAX: usize = 8;

pub(super) static FUNCTIONS: [Function; 90] = [
    function(FunctionId::Abs, "abs", &[Vector]),
    function(FunctionId::Absent, "absent", &[Vector]),
    function(FunctionId::AbsentOverTime, "absent_over_time", &[Matrix]),
    function(FunctionId::Acos, "acos", &[Vector]),
    function(FunctionId::Acosh, "acosh", &[Vector]),
    function(FunctionId::Asin, "asin", &[Vector]),
    function(FunctionId::Asinh, "asinh", &[Vector]),
    function(FunctionId::Atan, "atan", &[Vector]),
    function(FunctionId::Atanh, "atanh", &[Vector]),
    function(FunctionId::AvgOverTime, "avg_over_time", &[Matrix]),
    function(FunctionId::Ceil, "ceil", &[Vector]),
    function(FunctionId::Changes, "changes", &[Matrix]),
    function(FunctionId::Clamp, "clamp", &[Vector, Scalar, Scalar]),
    function(FunctionId::ClampMax, "clamp_max", &[Vector, Scalar]),
    function(FunctionId::ClampMin, "clamp_min", &[Vector, Scalar]),
    function(FunctionId::Cos, "cos", &[Vector]),
    function(FunctionId::Cosh, "cosh", &[Vector]),
    function(FunctionId::CountOverTime, "count_over_time", &[Matrix]),
    function(FunctionId::DayOfMonth, "day_of_month", &[Vector]).optional(1),
    function(FunctionId::DayOfWeek, "day_of_week", &[Vector]).optional(1),
    function(FunctionId::DayOfYear, "day_of_year", &[Vector]).optional(1),
    function(FunctionId::DaysInMonth, "days_in_month", &[Vector]).optional(1),
    function(FunctionId::Deg, "deg", &[Vector]),
    function(FunctionId::Delta, "delta", &[Matrix]),
    function(FunctionId::Deriv, "deriv", &[Matrix]),
    function(
        FunctionId::DoubleExponentialSmoothing,
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
    )
    .experimental(),
    function(FunctionId::End, "end", &[]).scalar().experimental(),
    function(FunctionId::Exp, "exp", &[Vector]),
    function(FunctionId::FirstOverTime, "first_over_time", &[Matrix]),
    function(FunctionId::Floor, "floor", &[Vector]),
    function(FunctionId::HistogramAvg, "histogram_avg", &[Vector]),
    function(FunctionId::HistogramCount, "histogram_count", &[Vector]),
    function(FunctionId::HistogramFraction, "histogram_fraction", &[Scalar, Scalar, Vector]),
    function(FunctionId::HistogramQuantile, "histogram_quantile", &[Scalar, Vector]),
    function(FunctionId::HistogramQuantiles, "histogram_quantiles", &[Vector, String, Scalar, Scalar])
        .optional(1)
        .repeated(Some(QUANTILES_MORE_MAX))
        .experimental(),
    function(FunctionId::HistogramStddev, "histogram_stddev", &[Vector]),
    function(FunctionId::HistogramStdvar, "histogram_stdvar", &[Vector]),
    function(FunctionId::HistogramSum, "histogram_sum", &[Vector]),
    function(FunctionId::Hour, "hour", &[Vector]).optional(1),
    function(FunctionId::Idelta, "idelta", &[Matrix]),
    function(FunctionId::Increase, "increase", &[Matrix]),
    function(FunctionId::Info, "info", &[Vector, Vector]).optional(1).experimental(),
    function(FunctionId::Irate, "irate", &[Matrix]),
    function(FunctionId::LabelJoin, "label_join", &[Vector, String, String, String])
        .optional(1)
        .repeated(None),
    function(FunctionId::LabelReplace, "label_replace", &[Vector, String, String, String, String]),
    function(FunctionId::LastOverTime, "last_over_time", &[Matrix]),
    function(FunctionId::Ln, "ln", &[Vector]),
    function(FunctionId::Log10, "log10", &[Vector]),
    function(FunctionId::Log2, "log2", &[Vector]),
    function(FunctionId::MadOverTime, "mad_over_time", &[Matrix]).experimental(),
    function(FunctionId::MaxOf, "max_of", &[Scalar, Scalar]).scalar().experimental(),
    function(FunctionId::MaxOverTime, "max_over_time", &[Matrix]),
    function(FunctionId::MinOf, "min_of", &[Scalar, Scalar]).scalar().experimental(),
    function(FunctionId::MinOverTime, "min_over_time", &[Matrix]),
    function(FunctionId::Minute, "minute", &[Vector]).optional(1),
    function(FunctionId::Month, "month", &[Vector]).optional(1),
    function(FunctionId::Pi, "pi", &[]).scalar(),
    function(FunctionId::PredictLinear, "predict_linear", &[Matrix, Scalar]),
    function(FunctionId::PresentOverTime, "present_over_time", &[Matrix]),
    function(FunctionId::QuantileOverTime, "quantile_over_time", &[Scalar, Matrix]),
    function(FunctionId::Rad, "rad", &[Vector]),
    function(FunctionId::Range, "range", &[]).scalar().experimental(),
    function(FunctionId::Rate, "rate", &[Matrix]),
    function(FunctionId::Resets, "resets", &[Matrix]),
    function(FunctionId::Round, "round", &[Vector, Scalar]).optional(1),
    function(FunctionId::Scalar, "scalar", &[Vector]).scalar(),
    function(FunctionId::Sgn, "sgn", &[Vector]),
    function(FunctionId::Sin, "sin", &[Vector]),
    function(FunctionId::Sinh, "sinh", &[Vector]),
    function(FunctionId::Sort, "sort", &[Vector]),
    function(FunctionId::SortByLabel, "sort_by_label", &[Vector, String])
        .optional(1)
        .repeated(None)
        .experimental(),
    function(FunctionId::SortByLabelDesc, "sort_by_label_desc", &[Vector, String])
        .optional(1)
        .repeated(None)
        .experimental(),
    function(FunctionId::SortDesc, "sort_desc", &[Vector]),
    function(FunctionId::Sqrt, "sqrt", &[Vector]),
    function(FunctionId::Start, "start", &[]).scalar().experimental(),
    function(FunctionId::StartTimestamp, "start_timestamp", &[Vector]).experimental(),
    function(FunctionId::StddevOverTime, "stddev_over_time", &[Matrix]),
    function(FunctionId::StdvarOverTime, "stdvar_over_time", &[Matrix]),
    function(FunctionId::Step, "step", &[]).scalar().experimental(),
    function(FunctionId::SumOverTime, "sum_over_time", &[Matrix]),
    function(FunctionId::Tan, "tan", &[Vector]),
    function(FunctionId::Tanh, "tanh", &[Vector]),
    function(FunctionId::Time, "time", &[]).scalar(),
    function(FunctionId::Timestamp, "timestamp", &[Vector]),
    function(FunctionId::TsOfFirstOverTime, "ts_of_first_over_time", &[Matrix]).experimental(),
    function(FunctionId::TsOfLastOverTime, "ts_of_last_over_time", &[Matrix]).experimental(),
    function(FunctionId::TsOfMaxOverTime, "ts_of_max_over_time", &[Matrix]).experimental(),
    function(FunctionId::TsOfMinOverTime, "ts_of_min_over_time", &[Matrix]).experimental(),
    function(FunctionId::Vector, "vector", &[Scalar]),
    function(FunctionId::Year, "year", &[Vector]).optional(1),
];

/// A stable function of exactly these arguments that returns an instant vector.
const fn function(id: FunctionId, name: &'static str, args: &'static [ValueType]) -> Function {
    Function { id, name, args, optional: 0, variadic: Some(0), returns: Vector, experimental: false }
}

impl Function {
    const fn optional(mut self, count: usize) -> Self {
        self.optional = count;
        self
    }

    const fn repeated(mut self, more_max: Option<usize>) -> Self {
        self.variadic = more_max;
        self
    }

    const fn scalar(mut self) -> Self {
        self.returns = Scalar;
        self
    }

    const fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }
}
