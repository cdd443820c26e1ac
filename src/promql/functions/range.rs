//! Functions of range vectors: which there are and how one series passes through one of them.

/// A function of the samples in a window. Fields of type `usize` are indices of scalar parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFunction {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear {
        seconds: usize,
    },
    Changes,
    Resets,
    AvgOverTime,
    SumOverTime,
    CountOverTime,
    MinOverTime,
    MaxOverTime,
    StddevOverTime,
    StdvarOverTime,
    QuantileOverTime {
        quantile: usize,
    },
    MadOverTime,
    /// Also the base of `absent_over_time`.
    PresentOverTime,
    LastOverTime,
    FirstOverTime,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMinOverTime,
    TsOfMaxOverTime,
    DoubleExponentialSmoothing {
        smoothing: usize,
        trend: usize,
    },
}
