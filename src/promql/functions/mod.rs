//! The functions of PromQL: name, signature and, by family, what they compute.

pub(crate) mod histogram;
pub(crate) mod label;
mod lockstep;
pub mod math;
pub(crate) mod over_time;
pub mod range;
#[cfg(test)]
mod range_tests;
mod rate;
mod table;
pub mod time;
mod trend;

use super::ast::ValueType;

/// Signature of one function.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub id: FunctionId,
    pub name: &'static str,
    /// Types of the arguments; see `optional` and `variadic` for how many must be there.
    pub args: &'static [ValueType],
    /// How many of the last `args` may be left out.
    pub optional: usize,
    /// The last of `args` may be repeated: at most this many more times; `None`: any number.
    pub variadic: Option<usize>,
    pub returns: ValueType,
    /// Needs the flag for experimental functions.
    pub experimental: bool,
}

impl Function {
    /// The function of this name, experimental or not. Names are case-sensitive.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let at = table::FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
        table::FUNCTIONS.get(at)
    }

    /// All functions, sorted by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &table::FUNCTIONS
    }

    /// Fewest arguments of a call.
    #[must_use]
    pub const fn args_min(&self) -> usize {
        self.args.len() - self.optional
    }

    /// Most arguments of a call; `None`: any number.
    #[must_use]
    pub fn args_max(&self) -> Option<usize> {
        self.variadic.map(|more| self.args.len() + more)
    }

    /// Type of the argument at this place; those past the end repeat the last one.
    #[must_use]
    pub fn arg_type(&self, index: usize) -> Option<ValueType> {
        self.args.get(index).or(self.args.last()).copied()
    }
}

/// One variant per function, for dispatch; in the order of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionId {
    Abs,
    Absent,
    AbsentOverTime,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    AvgOverTime,
    Ceil,
    Changes,
    Clamp,
    ClampMax,
    ClampMin,
    Cos,
    Cosh,
    CountOverTime,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Deg,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    End,
    Exp,
    FirstOverTime,
    Floor,
    HistogramAvg,
    HistogramCount,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramStddev,
    HistogramStdvar,
    HistogramSum,
    Hour,
    Idelta,
    Increase,
    Info,
    Irate,
    LabelJoin,
    LabelReplace,
    LastOverTime,
    Ln,
    Log10,
    Log2,
    MadOverTime,
    MaxOf,
    MaxOverTime,
    MinOf,
    MinOverTime,
    Minute,
    Month,
    Pi,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rad,
    Range,
    Rate,
    Resets,
    Round,
    Scalar,
    Sgn,
    Sin,
    Sinh,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Sqrt,
    Start,
    StartTimestamp,
    StddevOverTime,
    StdvarOverTime,
    Step,
    SumOverTime,
    Tan,
    Tanh,
    Time,
    Timestamp,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
    Vector,
    Year,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for (index, function) in Function::all().iter().enumerate() {
            assert_eq!(function.id as usize, index, "{}", function.name);
            assert_eq!(Function::by_name(function.name), Some(function));
            assert!(function.args_min() <= function.args_max().unwrap_or(usize::MAX));
        }
        assert_eq!(Function::by_name("holt_winters"), None);
        assert_eq!(Function::by_name("RATE"), None);
    }

    #[test]
    fn counts_of_arguments_follow_the_signature() {
        let counts = |name| {
            let function = Function::by_name(name).unwrap();
            (function.args_min(), function.args_max())
        };
        assert_eq!(counts("rate"), (1, Some(1)));
        assert_eq!(counts("hour"), (0, Some(1)));
        assert_eq!(counts("round"), (1, Some(2)));
        assert_eq!(counts("label_join"), (3, None));
        assert_eq!(counts("histogram_quantiles"), (3, Some(12)));
        assert_eq!(counts("pi"), (0, Some(0)));
    }
}
