//! How a context is packed.

/// Which section stands where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The best first, the second best last, the others between them, better ones first. Models use what stands at the ends
    /// of a long prompt more than what stands in its middle (Liu et al., "Lost in the Middle", 2024).
    #[default]
    Ends,
    /// The best first.
    Best,
    /// The best last, next to a question that follows.
    Last,
    /// By path.
    Path,
}

impl Order {
    /// Every order.
    pub const ALL: [Order; 4] = [Order::Ends, Order::Best, Order::Last, Order::Path];

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Ends => "ends",
            Order::Best => "best",
            Order::Last => "last",
            Order::Path => "path",
        }
    }
}

/// How a context is packed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PackOptions {
    /// So many tokens at most.
    pub budget: usize,
    /// Which section stands where.
    pub order: Order,
    /// A place that is worth less than this share of what the best one is worth is left out, however much room there is; 0 leaves
    /// nothing out.
    pub worth: f32,
    /// Nothing but what the search gave: for one with a filter, which says what may be shown.
    pub only_found: bool,
}

impl PackOptions {
    /// Places of this worth are worth their tokens. Half and twice as much gave the same on the questions of benches/results.
    pub const WORTH: f32 = 0.1;
    /// From so many places of a search a context is best made: they tell which files belong to the answer.
    pub const PLACES: usize = 400;

    /// Packing for so many tokens, as is best for most.
    pub fn new(budget: usize) -> Self {
        PackOptions { budget, order: Order::default(), worth: Self::WORTH, only_found: false }
    }
}
