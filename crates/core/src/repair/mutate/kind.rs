use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal, $prior:literal,)+) => {
        /// What kind of change a candidate is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)+ }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)+];

            /// The kind's name: the atom that Elixir sees.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $name,)+ }
            }

            /// How often such a change mends a small bug, relative to the others. Set by general knowledge of small
            /// faults (Just et al., "Are mutants a valid substitute for real faults?"), not fitted to any set of bugs.
            pub fn prior(self) -> f64 {
                match self { $(Kind::$variant => $prior,)+ }
            }
        }
    };
}

kinds! {
    /// `<` for `<=`, `==` for `!=`, …
    Comparison => "comparison", 1.0,
    /// `+` for `-`, `*` for `/`, …
    Arithmetic => "arithmetic", 1.0,
    /// `and` for `or`, `&&` for `||`, `in` for `not in`.
    Boolean => "boolean", 1.0,
    /// `++` for `--`, and other operators of lists, strings and bits.
    ListOperator => "list_operator", 0.8,
    /// The two sides of an operator that does not commute change places.
    SwapOperands => "swap_operands", 0.7,
    /// One side of an operator goes.
    DropOperand => "drop_operand", 0.6,
    /// Another whole number.
    Integer => "integer", 1.0,
    /// A number, a size or a limit is off by one.
    Boundary => "boundary", 0.8,
    /// Another floating point number.
    Float => "float", 0.8,
    /// Another string.
    StringLiteral => "string", 0.8,
    /// Another atom.
    Atom => "atom", 1.0,
    /// `true`, `false` and `nil`.
    Literal => "literal", 0.8,
    /// Another key of a map, a struct or a keyword list.
    Key => "key", 1.0,
    /// Another variable.
    Variable => "variable", 1.0,
    /// A condition becomes its opposite.
    Negate => "negate", 1.0,
    /// The branches of an `if` change places.
    SwapBranches => "swap_branches", 0.9,
    /// Arguments change places.
    SwapArguments => "swap_arguments", 1.0,
    /// A function of the standard library gives way to a relative: `Enum.min` for `Enum.max`.
    SiblingFunction => "sibling_function", 1.0,
    /// A function of the project gives way to another with as many arguments.
    ProjectFunction => "project_function", 0.7,
    /// A function is called on another module.
    Module => "module", 0.5,
    /// A call gives way to one of its arguments.
    UnwrapCall => "unwrap_call", 0.5,
    /// A value goes through one more function.
    WrapCall => "wrap_call", 0.5,
    /// A step of a pipe goes.
    PipeRemove => "pipe_remove", 0.7,
    /// A pipe gets one more step.
    PipeInsert => "pipe_insert", 0.7,
    /// A range begins or ends elsewhere.
    Range => "range", 0.8,
    /// Elements of a tuple or a list change places.
    SwapElements => "swap_elements", 0.7,
    /// An element goes.
    DropElement => "drop_element", 0.4,
    /// Clauses change places.
    ClauseSwap => "clause_swap", 0.6,
    /// A clause goes.
    ClauseRemove => "clause_remove", 0.3,
    /// A guard is added, removed or loses a part.
    Guard => "guard", 0.8,
    /// A clause for `nil`, `[]` or an empty map is missing, or one like those around it.
    MissingClause => "missing_clause", 0.7,
    /// `|| default` is missing or too much.
    DefaultValue => "default_value", 0.7,
    /// `{:ok, value}` for `value`, or the other way round.
    ResultTuple => "result_tuple", 0.5,
    /// A pin `^` is missing or too much.
    Pin => "pin", 0.7,
    /// `/`, `div` and `rem`.
    Division => "division", 0.7,
    /// A value is converted to another type, or no longer.
    Conversion => "conversion", 0.5,
    /// The modifiers of a sigil.
    Sigil => "sigil", 0.5,
    /// Another module attribute.
    Attribute => "attribute", 0.7,
    /// `&1` for `&2`, or another arity in `&fun/arity`.
    Capture => "capture", 0.6,
    /// The type, size or unit of a part of a binary.
    BitType => "bit_type", 0.6,
    /// A statement goes.
    DeleteStatement => "delete_statement", 0.5,
    /// A statement moves before or after its neighbour.
    MoveStatement => "move_statement", 0.4,
    /// Code from a similar place takes the place of this.
    Donor => "donor", 0.8,
    /// Code that a model wrote.
    Model => "model", 1.0,
}
