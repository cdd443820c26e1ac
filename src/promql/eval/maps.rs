//! Value functions over the column of one series.

use crate::promql::functions::math;
use crate::promql::plan::ValueMap;
use crate::promql::value::{ABSENT, Column, is_present};

impl ValueMap {
    /// Whether the result is no longer a value of the metric, so that its name has to go.
    #[must_use]
    pub const fn drops_name(&self) -> bool {
        match self {
            Self::Scalar { op, return_bool, .. } => *return_bool || !op.is_comparison(),
            _ => true,
        }
    }

    /// Replaces every value that is there; comparisons and impossible clamps remove values.
    pub(crate) fn apply(&self, values: &mut [f64], params: &[Column]) {
        let param = |index: usize, step: usize| params.get(index).map_or(f64::NAN, |column| column.at(step));
        match *self {
            Self::Negate => each(values, |_, value| -value),
            Self::Math(function) => each(values, |_, value| function.apply(value)),
            Self::Date(function) => each(values, |_, value| function.apply(value)),
            Self::Clamp { min, max } => each(values, |step, value| {
                let (min, max) = (param(min, step), param(max, step));
                clamp(value, min, max)
            }),
            Self::ClampMin(min) => each(values, |step, value| clamp(value, param(min, step), f64::INFINITY)),
            Self::ClampMax(max) => {
                each(values, |step, value| clamp(value, f64::NEG_INFINITY, param(max, step)));
            }
            Self::Round { to_nearest } => {
                each(values, |step, value| math::round(value, param(to_nearest, step)));
            }
            Self::Scalar { op, param: index, scalar_on_left, return_bool } => {
                each(values, |step, value| {
                    let scalar = param(index, step);
                    let (left, right) = if scalar_on_left { (scalar, value) } else { (value, scalar) };
                    if !op.is_comparison() {
                        math::arithmetic(op, left, right)
                    } else if return_bool {
                        f64::from(u8::from(math::compare(op, left, right)))
                    } else if math::compare(op, left, right) {
                        value
                    } else {
                        ABSENT
                    }
                });
            }
        }
    }
}

fn each(values: &mut [f64], map: impl Fn(usize, f64) -> f64) {
    for (step, value) in values.iter_mut().enumerate() {
        if is_present(*value) {
            *value = map(step, *value);
        }
    }
}

fn clamp(value: f64, min: f64, max: f64) -> f64 {
    if max < min { ABSENT } else { math::max(min, math::min(max, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::ast::BinaryOp;
    use crate::promql::value::is_absent;

    #[test]
    fn comparisons_filter_and_clamps_may_remove_all() {
        let mut values = vec![1.0, 5.0, ABSENT];
        let params = [Column::Constant(3.0), Column::Steps(vec![0.0, 9.0, 9.0].into())];
        let filter =
            ValueMap::Scalar { op: BinaryOp::Less, param: 0, scalar_on_left: true, return_bool: false };
        filter.apply(&mut values, &params);
        assert!(is_absent(values[0]));
        assert_eq!(values[1], 5.0);
        assert!(!filter.drops_name());
        let mut values = vec![4.0, 5.0, ABSENT];
        ValueMap::Clamp { min: 0, max: 1 }.apply(&mut values, &params);
        assert!(is_absent(values[0]), "the maximum is below the minimum");
        assert_eq!(values[1], 5.0);
        assert!(is_absent(values[2]));
    }
}
