//! Orders of prediction: what of a page of integers is left to be stored.
//!
//! The first integer of a page is known. With `x` the integers of a page and `step` a number of
//! the column, the residual of `x[i]`, `i` from 1 on, is (all arithmetic wraps):
//!
//! | order | name     | residual                                                    |
//! |------:|----------|-------------------------------------------------------------|
//! |     0 | level    | `x[i]`                                                      |
//! |     1 | delta    | `x[i] - x[i - 1]`                                           |
//! |     2 | change   | delta less the delta before; `step` is before the first     |
//! |     3 | line     | `x[i] - x[0] - i * step`                                    |

/// How integers are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Level,
    Delta,
    Change,
    Line,
}

impl Order {
    pub(super) const ALL: [Self; 4] = [Self::Level, Self::Delta, Self::Change, Self::Line];

    pub(super) const fn from_number(number: u8) -> Self {
        match number & 3 {
            0 => Self::Level,
            1 => Self::Delta,
            2 => Self::Change,
            _ => Self::Line,
        }
    }

    /// Whether the column stores its step.
    pub(super) const fn has_step(self) -> bool {
        matches!(self, Self::Change | Self::Line)
    }

    /// Appends the residuals of a page, one fewer than it has integers.
    pub(super) fn residuals(self, page: &[i64], step: i64, out: &mut Vec<i64>) {
        let Some((first, rest)) = page.split_first() else { return };
        match self {
            Self::Level => out.extend_from_slice(rest),
            Self::Delta => out.extend(page.array_windows().map(|[before, x]| x.wrapping_sub(*before))),
            Self::Change => {
                let mut delta = step;
                out.extend(page.array_windows().map(|[before, x]| {
                    let delta_before = delta;
                    delta = x.wrapping_sub(*before);
                    delta.wrapping_sub(delta_before)
                }));
            }
            Self::Line => {
                let mut line = *first;
                out.extend(rest.iter().map(|x| {
                    line = line.wrapping_add(step);
                    x.wrapping_sub(line)
                }));
            }
        }
    }

    /// Turns a page whose first integer is known and whose others are residuals into integers.
    pub(super) fn restore(self, page: &mut [i64], step: i64) {
        let Some((first, rest)) = page.split_first_mut() else { return };
        let mut x = *first;
        match self {
            Self::Level => {}
            Self::Delta => {
                for place in rest {
                    x = x.wrapping_add(*place);
                    *place = x;
                }
            }
            Self::Change => {
                let mut delta = step;
                for place in rest {
                    delta = delta.wrapping_add(*place);
                    x = x.wrapping_add(delta);
                    *place = x;
                }
            }
            Self::Line => {
                for place in rest {
                    x = x.wrapping_add(step);
                    *place = x.wrapping_add(*place);
                }
            }
        }
    }
}
