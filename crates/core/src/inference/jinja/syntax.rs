//! What a template is made of.
//!
//! Chains of operators, of calls and of branches are lists and not nested nodes, so that a tree is only as deep as what is
//! written nests, which the parser bounds.

/// A template that was read.
#[derive(Debug)]
pub(crate) struct Template {
    pub(super) body: Vec<Node>,
    pub(super) macros: Vec<Macro>,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    /// Names of arguments, and what they are if they are not given.
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Node {
    Data(String),
    Print(Expr),
    If {
        branches: Vec<(Expr, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    For {
        target: Target,
        over: Expr,
        filter: Option<Expr>,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Set {
        target: Target,
        value: Expr,
    },
    /// `{% set x %}…{% endset %}`
    Capture {
        target: Target,
        filters: Vec<Postfix>,
        body: Vec<Node>,
    },
    /// `{% filter … %}`
    Filter {
        filters: Vec<Postfix>,
        body: Vec<Node>,
    },
    /// `{% with %}`, and `{% generation %}`, which only marks what an assistant said.
    Scope {
        bindings: Vec<(Target, Expr)>,
        body: Vec<Node>,
    },
    /// Defines the macro of this number.
    Macro(usize),
    Break,
    Continue,
}

/// What is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(String),
    /// An attribute of a namespace.
    Attribute(String, String),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    Name(String),
    Sequence { items: Vec<Expr>, tuple: bool },
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Chain(Box<Expr>, Vec<(Operator, Expr)>),
    Concat(Vec<Expr>),
    Conditional(Box<Conditional>),
    Postfix(Box<Expr>, Vec<Postfix>),
}

/// `value if condition else otherwise`
#[derive(Debug)]
pub(super) struct Conditional {
    pub(super) condition: Expr,
    pub(super) value: Expr,
    pub(super) otherwise: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

/// What follows an expression and applies to it.
#[derive(Debug)]
pub(super) enum Postfix {
    Attribute(String),
    Item(Expr),
    Slice { start: Option<Expr>, end: Option<Expr>, step: Option<Expr> },
    Call(Given),
    Filter(String, Given),
    Test { name: String, given: Given, negated: bool },
}

/// Arguments as they are written.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
}
