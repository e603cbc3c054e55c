//! The walk over a text that finds its flaws.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::bits::Bits;
use super::flaw::{Flaw, What};
use super::known::{Known, Outer};
use crate::repair::mutate::source::{arguments, do_block, field, parts};
use crate::syntax::{Scopes, Variables};

/// What is still to be looked at. Steps lie on a stack, so that deep code is no deep recursion.
#[derive(Clone, Copy)]
enum Step<'t> {
    Code(Node<'t>),
    /// A call on the right of `|>`: it has one argument more.
    Piped(Node<'t>),
    Guard(Node<'t>),
    /// The beginning of a pattern: what is bound here can be pinned.
    Match(Node<'t>),
    /// A part of a pattern that began when so many names were bound.
    Pattern(Node<'t>, usize),
    /// A `->` clause; whether a pattern stands before the arrow.
    Stab(Node<'t>, bool),
    Enter,
    Leave,
    /// Before and after a function: nothing that is bound around it is seen in it.
    EnterFunction,
    LeaveFunction,
    /// A part of a `quote`, of which only what is unquoted counts.
    Quoted(Node<'t>),
    EnterModule,
    LeaveModule,
    Capture(Node<'t>),
    LeaveCapture(Node<'t>),
}

/// A walk in the order in which the compiler binds names.
pub(super) struct Walk<'w, 't> {
    known: &'w Known<'w>,
    text: &'t str,
    flaws: BTreeSet<Flaw>,
    steps: Vec<Step<'t>>,
    scopes: Scopes<'t>,
    /// What is bound around each function that is open, outermost first: it is not seen in the function.
    around: Vec<Variables<'t>>,
    /// How many modules are around.
    modules: usize,
    outer: Outer<'t>,
    /// Which numbers were used, of each `&` that is open, as bits.
    captures: Vec<u64>,
}

impl<'w, 't> Walk<'w, 't> {
    pub fn new(known: &'w Known<'w>, text: &'t str) -> Self {
        Walk {
            known,
            text,
            flaws: BTreeSet::new(),
            steps: Vec::new(),
            scopes: Scopes::default(),
            around: Vec::new(),
            modules: 0,
            outer: Outer::default(),
            captures: Vec::new(),
        }
    }

    /// The flaws, and the names that are bound outside of functions.
    pub fn run(mut self, root: Node<'t>) -> (BTreeSet<Flaw>, Outer<'t>) {
        self.steps.push(Step::Code(root));
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Code(node) => self.code(node, false),
                Step::Piped(node) => self.code(node, true),
                Step::Guard(node) => self.guard(node),
                Step::Match(node) => {
                    let start = self.scopes.bound_so_far();
                    self.steps.push(Step::Pattern(node, start));
                }
                Step::Pattern(node, start) => self.pattern(node, start),
                Step::Stab(node, matches) => self.stab(node, matches),
                Step::Enter => self.scopes.enter(root.end_byte()),
                Step::Leave => self.scopes.leave(),
                Step::EnterFunction => {
                    let around = self.scopes.isolate();
                    self.around.push(around);
                }
                Step::LeaveFunction => self.scopes.restore(self.around.pop().unwrap_or_default()),
                Step::Quoted(node) => match self.target(node) {
                    "unquote" | "unquote_splicing" => self.steps.extend(arguments(node).map(Step::Code)),
                    _ => self.all(node, Step::Quoted),
                },
                Step::EnterModule => self.modules += 1,
                Step::LeaveModule => self.modules -= 1,
                Step::Capture(operand) => {
                    self.captures.push(0);
                    self.then([Step::Code(operand), Step::LeaveCapture(operand)]);
                }
                Step::LeaveCapture(operand) => self.leave_capture(operand),
            }
        }
        (self.flaws, self.outer)
    }

    fn of(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or("")
    }

    fn operator(&self, node: Node<'_>) -> &'t str {
        match node.kind() {
            "binary_operator" | "unary_operator" => field(node, "operator").map_or("", |sign| self.of(sign)),
            _ => "",
        }
    }

    fn target(&self, call: Node<'_>) -> &'t str {
        match call.kind() {
            "call" => field(call, "target").map_or("", |target| self.of(target)),
            _ => "",
        }
    }

    fn flaw(&mut self, what: What, about: impl Into<String>) {
        self.flaws.insert((what, about.into()));
    }

    /// Steps to take next, in this order.
    fn then<I>(&mut self, steps: I)
    where
        I: IntoIterator<Item = Step<'t>>,
        I::IntoIter: DoubleEndedIterator,
    {
        self.steps.extend(steps.into_iter().rev());
    }

    /// A name that is read.
    fn read(&mut self, name: &'t str) {
        let special = name.starts_with("__") || name == "...";
        let outer = self.around.is_empty() && self.known.is_outer_statement(name);
        if !special && !outer && !self.scopes.is_bound(name) && !self.known.is_local(name, 0) {
            self.flaw(What::Unbound, name);
        }
    }

    /// What stands in `unquote`, not in a `quote`: in a function, names of the code around it.
    fn unquote(&mut self, given: Option<Node<'t>>) {
        if self.known.quotes() {
            return;
        }
        if self.around.is_empty() {
            self.flaw(What::Local, "unquote/1");
        }
        for name in given.map_or(Vec::new(), parts).into_iter().filter(|part| part.kind() == "identifier") {
            let name = self.of(name);
            let is_around = self.around.iter().any(|variables| variables.is_bound(name));
            if !is_around && !self.known.is_outer(name) {
                self.flaw(What::Unbound, name);
            }
        }
    }

    fn code(&mut self, node: Node<'t>, piped: bool) {
        match node.kind() {
            "identifier" if piped => {}
            "identifier" => self.read(self.of(node)),
            "call" => self.call(node, usize::from(piped)),
            "binary_operator" => self.operation(node),
            "unary_operator" => self.prefixed(node),
            "stab_clause" => self.steps.push(Step::Stab(node, true)),
            "bitstring" => self.binary(node),
            "map" => {
                self.literal(node);
                self.all(node, Step::Code);
            }
            "struct" => {
                if let Some(name) = node.named_child(0).filter(|name| name.kind() != "alias") {
                    self.steps.push(Step::Code(name));
                }
            }
            "dot" => {
                if let Some(left) = field(node, "left") {
                    self.steps.push(Step::Code(left));
                }
            }
            _ => self.all(node, Step::Code),
        }
    }

    fn all(&mut self, node: Node<'t>, step: impl Fn(Node<'t>) -> Step<'t>) {
        if node.named_child_count() > 0 {
            self.then(parts(node).into_iter().map(step));
        }
    }

    fn sides(&self, node: Node<'t>) -> Option<(Node<'t>, Node<'t>)> {
        field(node, "left").zip(field(node, "right"))
    }

    fn operation(&mut self, node: Node<'t>) {
        let Some((left, right)) = self.sides(node) else { return };
        match self.operator(node) {
            "=" | "<-" => self.then([Step::Code(right), Step::Match(left)]),
            "|>" => self.then([Step::Code(left), Step::Piped(right)]),
            "::" => self.steps.push(Step::Code(left)),
            sign => {
                if sign == "|" {
                    self.cell(node);
                }
                self.then([Step::Code(left), Step::Code(right)]);
            }
        }
    }

    fn prefixed(&mut self, node: Node<'t>) {
        let Some(operand) = field(node, "operand") else { return };
        match self.operator(node) {
            "@" if operand.kind() == "identifier" => {}
            "@" => {
                if let Some(given) = arguments(operand).filter(|_| !is_prose(self.target(operand))) {
                    self.steps.push(Step::Code(given));
                }
            }
            "&" if operand.kind() == "integer" => {
                match (self.of(operand).parse::<u32>(), self.captures.last_mut()) {
                    (Ok(number @ 1..=63), Some(used)) => *used |= 1 << (number - 1),
                    (Ok(64..), Some(_)) => {}
                    _ => self.flaw(What::Capture, self.of(node)),
                }
            }
            "&" => match self.named(operand) {
                Some((name, arity)) => match name.kind() {
                    "identifier" => self.local(self.of(name), arity),
                    _ => self.remote(name, arity),
                },
                None if self.captures.is_empty() => self.steps.push(Step::Capture(operand)),
                None => self.flaw(What::Capture, self.of(node)),
            },
            _ => self.steps.push(Step::Code(operand)),
        }
    }

    /// The function and the arity of `name/1` and `Mod.name/1`, after `&`.
    fn named(&self, operand: Node<'t>) -> Option<(Node<'t>, usize)> {
        let (left, right) = self.sides(operand).filter(|_| self.operator(operand) == "/")?;
        let arity = self.of(right).parse().ok().filter(|_| right.kind() == "integer")?;
        let name = match left.kind() {
            "identifier" | "operator_identifier" => true,
            "call" => arguments(left).is_none(),
            _ => false,
        };
        name.then_some((left, arity))
    }

    fn leave_capture(&mut self, operand: Node<'t>) {
        let used = self.captures.pop().unwrap_or(1);
        if used == 0 || used & (used + 1) != 0 {
            // The text of a capture is long; what is wrong with it is that some number is missing.
            let missing = if used == 0 { "no argument" } else { "a number is left out" };
            let about = format!("{missing}: {}", self.of(operand));
            self.flaw(What::Capture, about);
        }
    }

    fn local(&mut self, name: &'t str, arity: usize) {
        if !self.known.is_local(name, arity)
            && name.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
        {
            self.flaw(What::Local, format!("{name}/{arity}"));
        }
    }

    /// A call of `Mod.name`, which is `dot` or a call around it without arguments.
    fn remote(&mut self, target: Node<'t>, arity: usize) {
        let dot = if target.kind() == "call" { field(target, "target") } else { Some(target) };
        let Some((left, right)) = dot.and_then(|dot| self.sides(dot)) else {
            // `function.(argument)`
            self.steps.extend(dot.and_then(|dot| field(dot, "left")).map(Step::Code));
            return;
        };
        let (module, name) = (self.of(left), self.of(right));
        if left.kind() == "alias"
            && right.kind() == "identifier"
            && !self.known.is_remote(module, name, arity)
        {
            self.flaw(What::Remote, format!("{module}.{name}/{arity}"));
        }
        if left.kind() != "alias" {
            self.steps.push(Step::Code(left));
        }
    }

    fn call(&mut self, node: Node<'t>, piped: usize) {
        let Some(target) = field(node, "target") else { return };
        let given = arguments(node);
        let block = do_block(node);
        let name = match target.kind() {
            "identifier" => self.of(target),
            "dot" => {
                let count = given.map_or(0, |given| parts(given).len());
                let whole = count + piped + usize::from(block.is_some());
                // The steps of arguments come first on the stack: what is bound there is seen afterwards only.
                self.block(block, true);
                self.steps.extend(given.map(Step::Code));
                self.remote(target, whole);
                return;
            }
            _ => {
                self.block(block, true);
                self.steps.extend(given.map(Step::Code));
                self.steps.push(Step::Code(target));
                return;
            }
        };
        match name {
            "quote" => {
                let options = given.map_or("", |given| self.of(given));
                if !options.contains("bind_quoted") && !options.contains("unquote:") {
                    self.steps.extend(block.into_iter().chain(given).map(Step::Quoted));
                }
            }
            "alias" | "import" | "require" | "use" | "var!" | "binding" | "defdelegate" | "defstruct"
            | "defexception" => {}
            "defmodule" | "defimpl" | "defprotocol" => {
                self.steps.push(Step::LeaveModule);
                self.block(block, true);
                self.steps.push(Step::EnterModule);
            }
            name if name.starts_with("def") && self.function(node) => {}
            "unquote" | "unquote_splicing" => self.unquote(given),
            "for" | "with" => self.comprehension(node, name),
            "match?" | "destructure" => {
                let Some(given) = given else { return };
                let mut rest = parts(given).into_iter();
                let pattern = if piped == 0 { rest.next() } else { None };
                self.steps.extend(pattern.filter(|_| name == "match?").map(|_| Step::Leave));
                self.steps.extend(pattern.map(Step::Match));
                self.steps.extend(pattern.filter(|_| name == "match?").map(|_| Step::Enter));
                self.then(rest.map(Step::Code).collect::<Vec<_>>());
            }
            _ => {
                let form =
                    matches!(name, "if" | "unless" | "case" | "cond" | "receive" | "try" | "raise" | "super");
                if matches!(name, "if" | "unless") {
                    self.options(node, name, &["do", "else"]);
                }
                let count = given.map_or(0, |given| parts(given).len());
                if !form {
                    self.local(name, count + piped + usize::from(block.is_some()));
                }
                self.block(block, name != "cond");
                self.steps.extend(given.map(Step::Code));
            }
        }
    }

    /// A `do` block with what belongs to it; whether patterns stand before its arrows.
    fn block(&mut self, block: Option<Node<'t>>, matches: bool) {
        let Some(block) = block else { return };
        let mut steps = vec![Step::Enter];
        let mut others = Vec::new();
        for part in parts(block) {
            match part.kind() {
                "stab_clause" => steps.push(Step::Stab(part, matches)),
                "after_block" | "else_block" | "rescue_block" | "catch_block" => others.push(part),
                _ => steps.push(Step::Code(part)),
            }
        }
        steps.push(Step::Leave);
        for other in others {
            steps.push(Step::Enter);
            let after = other.kind() == "after_block";
            steps.extend(parts(other).into_iter().map(|part| match part.kind() {
                "stab_clause" => Step::Stab(part, !after),
                _ => Step::Code(part),
            }));
            steps.push(Step::Leave);
        }
        self.then(steps);
    }

    fn stab(&mut self, node: Node<'t>, matches: bool) {
        let left = field(node, "left");
        let right = field(node, "right");
        let left = left.map(|left| if matches { Step::Match(left) } else { Step::Code(left) });
        let right = right.map(Step::Code);
        self.then(
            [Some(Step::Enter), left, right, Some(Step::Leave)].into_iter().flatten().collect::<Vec<_>>(),
        );
    }

    /// `for` and `with`: what their arguments bind is bound in their block.
    fn comprehension(&mut self, node: Node<'t>, name: &'t str) {
        let given = arguments(node);
        let block = do_block(node);
        let known: &[&str] = if name == "for" { &["do", "into", "uniq", "reduce"] } else { &["do", "else"] };
        let options = self.options(node, name, known);
        let first = given.and_then(|given| parts(given).first().copied());
        let generates = first.is_some_and(|first| {
            let first = if first.kind() == "bitstring" { parts(first).last().copied() } else { Some(first) };
            first.is_some_and(|first| self.operator(first) == "<-")
        });
        if name == "for" && !generates {
            self.flaw(What::Option, "for without a generator");
        }
        if let (Some(block), "for") = (block, name) {
            let arrows = block.named_child(0).is_some_and(|first| first.kind() == "stab_clause");
            if arrows != options.contains(&"reduce") {
                self.flaw(What::Option, "for reduce");
            }
        }
        let mut body = Vec::new();
        let mut others = Vec::new();
        for part in block.map_or(Vec::new(), parts) {
            if part.kind().ends_with("_block") { others.push(part) } else { body.push(part) }
        }
        let mut steps = vec![Step::Enter];
        steps.extend(given.map(Step::Code));
        steps.extend(body.into_iter().map(Step::Code));
        steps.push(Step::Leave);
        steps.extend(others.into_iter().flat_map(|other| [Step::Enter, Step::Code(other), Step::Leave]));
        self.then(steps);
    }

    /// The options of a form, of which it knows only some.
    fn options(&mut self, node: Node<'t>, name: &str, known: &[&str]) -> Vec<&'t str> {
        let last = arguments(node).and_then(|given| parts(given).last().copied());
        let Some(pairs) = last.filter(|last| last.kind() == "keywords") else { return Vec::new() };
        let keys: Vec<&str> = parts(pairs)
            .into_iter()
            .filter_map(|pair| field(pair, "key"))
            .map(|key| self.of(key).trim_end().trim_end_matches(':'))
            .collect();
        let strange: Vec<&str> = keys.iter().filter(|key| !known.contains(key)).copied().collect();
        strange.into_iter().for_each(|key| self.flaw(What::Option, format!("{name} {key}")));
        keys
    }

    /// A clause of a function; `false` for what only begins with `def`.
    fn function(&mut self, node: Node<'t>) -> bool {
        let Some(given) = arguments(node) else { return false };
        let mut values = parts(given).into_iter();
        let Some(head) = values.next() else { return false };
        let (called, guard) = match self.sides(head) {
            Some((left, right)) if self.operator(head) == "when" => (left, Some(right)),
            _ => (head, None),
        };
        let arguments = match called.kind() {
            "call" => arguments(called),
            "identifier" => None,
            _ => return false,
        };
        let mut steps = vec![Step::EnterFunction];
        // The name of a function may be computed around it.
        let name = field(called, "target").filter(|target| target.kind() == "call");
        steps.extend(name.map(Step::Code));
        steps.extend(arguments.map(Step::Match));
        let target = self.target(node);
        // What a guard of its own says is code that guards may say.
        let is_guard = target.starts_with("defguard");
        steps.extend(guard.map(Step::Guard));
        steps.extend(values.map(|value| if is_guard { Step::Guard(value) } else { Step::Code(value) }));
        let block = do_block(node);
        self.steps.push(Step::LeaveFunction);
        self.block(block, true);
        self.then(steps);
        true
    }

    fn binary(&mut self, node: Node<'t>) {
        let values = parts(node);
        // `for <<a, b <- text>>`
        if let Some((last, before)) = values.split_last()
            && let Some((left, right)) = self.sides(*last).filter(|_| self.operator(*last) == "<-")
        {
            let start = self.scopes.bound_so_far();
            let mut steps = vec![Step::Code(right)];
            steps.extend(before.iter().chain([&left]).map(|part| Step::Pattern(*part, start)));
            self.then(steps);
            return;
        }
        let mut steps = Vec::new();
        for value in values {
            steps.extend(self.segment(value, Step::Code));
        }
        self.then(steps);
    }

    /// The steps of one part of a binary.
    fn segment(&mut self, value: Node<'t>, step: impl Fn(Node<'t>) -> Step<'t>) -> Vec<Step<'t>> {
        let Some((left, right)) = self.sides(value).filter(|_| self.operator(value) == "::") else {
            return vec![step(value)];
        };
        let bits = Bits::read(self.text, right);
        if let Some(name) = bits.unknown {
            self.flaw(What::Bits, name);
        }
        if bits.contradicts(left.kind() == "string") {
            self.flaw(What::Bits, self.of(right));
        }
        std::iter::once(step(left)).chain(bits.computed.into_iter().map(Step::Code)).collect()
    }

    /// `|` belongs before the last element of a list and after the map that is updated.
    fn cell(&mut self, node: Node<'t>) {
        let above = node.parent();
        let fits = above.is_some_and(|above| match above.kind() {
            "list" => parts(above).last().is_some_and(|last| last.id() == node.id()),
            "map_content" => true,
            _ => false,
        });
        if !fits {
            self.flaw(What::Cons, self.of(node));
        }
    }

    /// The keys of a map or a struct.
    fn literal(&mut self, node: Node<'t>) {
        let all = parts(node);
        let name = all.iter().find(|part| part.kind() == "struct").map(|part| self.of(*part));
        let Some(content) = all.iter().find(|part| part.kind() == "map_content") else {
            if let Some(name) = name {
                self.structure(name, &[]);
            }
            return;
        };
        let mut entries = parts(*content);
        if let [one] = entries[..]
            && self.operator(one) == "|"
        {
            entries = self.sides(one).map_or(Vec::new(), |(_, right)| vec![right]);
        }
        let mut keys: Vec<&str> = Vec::new();
        for entry in entries {
            match entry.kind() {
                "keywords" => {
                    let pairs = parts(entry).into_iter().filter_map(|pair| field(pair, "key"));
                    keys.extend(pairs.map(|key| self.of(key).trim_end().trim_end_matches(':')));
                }
                "binary_operator" => {
                    if let Some((left, _)) = self.sides(entry)
                        && matches!(left.kind(), "atom" | "string" | "integer")
                    {
                        keys.push(self.of(left).trim_start_matches(':'));
                    }
                }
                _ => {}
            }
        }
        if let Some(name) = name {
            self.structure(name, &keys);
        }
        keys.sort_unstable();
        for pair in keys.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.flaw(What::Twice, pair[0]);
        }
    }

    fn structure(&mut self, name: &str, keys: &[&str]) {
        if !name.starts_with(|sign: char| sign.is_uppercase() || sign == '_') {
            return;
        }
        if name.starts_with(|sign: char| sign.is_uppercase()) && !self.known.is_struct(name) {
            self.flaw(What::Option, format!("%{name}"));
        }
        let Some(fields) = self.known.fields(name) else { return };
        for key in keys {
            if !fields.contains(key) && !key.starts_with("__") {
                self.flaw(What::Option, format!("%{name} {key}"));
            }
        }
    }

    fn pattern(&mut self, node: Node<'t>, start: usize) {
        let within = move |node: Node<'t>| Step::Pattern(node, start);
        match node.kind() {
            "identifier" => match self.of(node) {
                "_" | "..." => {}
                name if name.starts_with("__") && name.ends_with("__") => {}
                name => {
                    self.scopes.bind(name);
                    if self.around.is_empty() {
                        self.outer.all.insert(name);
                        if self.scopes.depth() == self.modules {
                            self.outer.statements.insert(name);
                        }
                    }
                }
            },
            "unary_operator" => {
                let Some(operand) = field(node, "operand") else { return };
                match self.operator(node) {
                    "^" if operand.kind() == "identifier" => {
                        let name = self.of(operand);
                        if !self.scopes.was_bound(name, start) {
                            self.flaw(What::Pin, name);
                        }
                    }
                    "^" | "@" => {}
                    "+" | "-" => self.steps.push(within(operand)),
                    sign => self.flaw(What::Pattern, sign),
                }
            }
            "binary_operator" => self.matched_operation(node, start),
            "call" => self.matched_call(node, start),
            "access_call" => {
                self.flaw(What::Pattern, self.of(node));
                self.all(node, within);
            }
            "anonymous_function" | "interpolation" | "dot" => self.flaw(What::Pattern, self.of(node)),
            "bitstring" => {
                let values = parts(node);
                let mut steps = Vec::new();
                for (position, value) in values.iter().enumerate() {
                    let right = self.sides(*value).filter(|_| self.operator(*value) == "::").map(|(_, b)| b);
                    let literal = field(*value, "left").is_some_and(|left| left.kind() == "string");
                    if position + 1 < values.len()
                        && !literal
                        && right.is_some_and(|right| Bits::read(self.text, right).is_open())
                    {
                        self.flaw(What::Bits, format!("open: {}", self.of(node)));
                    }
                    steps.extend(self.segment(*value, within));
                }
                self.then(steps);
            }
            "map" => {
                self.literal(node);
                self.all(node, within);
            }
            _ => self.all(node, within),
        }
    }

    fn matched_operation(&mut self, node: Node<'t>, start: usize) {
        let Some((left, right)) = self.sides(node) else { return };
        let both = [Step::Pattern(left, start), Step::Pattern(right, start)];
        match self.operator(node) {
            "when" => self.then([Step::Pattern(left, start), Step::Guard(right)]),
            // A default sees no other argument.
            "\\\\" if right.kind() == "identifier" && !self.around.is_empty() => {
                let name = self.of(right);
                if !self.known.is_local(name, 0) {
                    self.flaw(What::Unbound, name);
                }
                self.steps.push(Step::Pattern(left, start));
            }
            "\\\\" => self.then([Step::Pattern(left, start), Step::Code(right)]),
            "::" => self.steps.push(Step::Pattern(left, start)),
            // `rescue error in [ArgumentError]`
            "in" => {
                if right.kind() == "identifier" && self.of(right) != "_" {
                    self.flaw(What::Pattern, "in");
                }
                self.steps.push(Step::Pattern(left, start));
            }
            "<>" => {
                if left.kind() == "identifier" {
                    self.flaw(What::Pattern, format!("{} <>", self.of(left)));
                }
                self.then(both);
            }
            "=>" => {
                if left.kind() == "identifier" {
                    self.flaw(What::Pattern, format!("{} =>", self.of(left)));
                }
                self.then(both);
            }
            "|" => {
                self.cell(node);
                self.then(both);
            }
            "=" | ".." | "//" => self.then(both),
            "++" => {
                if left.kind() == "identifier" {
                    self.flaw(What::Pattern, format!("{} ++", self.of(left)));
                }
                self.then(both);
            }
            sign => {
                self.flaw(What::Pattern, sign);
                self.then(both);
            }
        }
    }

    fn matched_call(&mut self, node: Node<'t>, start: usize) {
        let target = self.target(node);
        let given = arguments(node);
        match target {
            "unquote" | "unquote_splicing" => self.unquote(given),
            "var!" => {}
            _ => {
                if !self.known.is_macro(target) && !target.starts_with("sigil_") {
                    let count = given.map_or(0, |given| parts(given).len());
                    self.flaw(What::Pattern, format!("{target}/{count}"));
                }
                self.steps.extend(given.map(|given| Step::Pattern(given, start)));
            }
        }
    }

    fn guard(&mut self, node: Node<'t>) {
        match node.kind() {
            "identifier" => self.read(self.of(node)),
            "call" => {
                let given = arguments(node);
                let target = field(node, "target");
                let dot = target.filter(|target| target.kind() == "dot").and_then(|dot| self.sides(dot));
                let count = given.map_or(0, |given| parts(given).len());
                match dot {
                    Some((left, _)) if left.kind() == "alias" => {
                        let name = self.target(node);
                        let guards = name.starts_with("Bitwise.")
                            || matches!(name, "Integer.is_odd" | "Integer.is_even" | "Record.is_record");
                        if !guards && !self.known.is_macro(name.rsplit('.').next().unwrap_or(name)) {
                            self.flaw(What::Guard, name);
                        }
                    }
                    Some((left, _)) if left.kind() == "atom" => {}
                    Some((left, _)) if given.is_none() => self.steps.push(Step::Guard(left)),
                    Some(_) => self.flaw(What::Guard, self.target(node)),
                    None => {
                        let name = self.target(node);
                        if name == "unquote" {
                            self.unquote(given);
                            return;
                        }
                        if !self.known.is_guard(name) {
                            self.flaw(What::Guard, format!("{name}/{count}"));
                        }
                        self.local(name, count);
                    }
                }
                self.steps.extend(given.map(Step::Guard));
            }
            "binary_operator" => {
                let Some((left, right)) = self.sides(node) else { return };
                let sign = self.operator(node);
                if matches!(sign, "&&" | "||" | "<>" | "++" | "--" | "|>" | "=~" | "=" | "**" | "<-" | "=>") {
                    self.flaw(What::Guard, sign);
                }
                let range = matches!(self.operator(right), ".." | "//" | "@");
                if matches!(sign, "in" | "not in")
                    && !range
                    && matches!(
                        right.kind(),
                        "identifier"
                            | "map"
                            | "integer"
                            | "char"
                            | "atom"
                            | "tuple"
                            | "string"
                            | "unary_operator"
                            | "binary_operator"
                    )
                {
                    self.flaw(What::Guard, format!("in {}", self.of(right)));
                }
                if matches!(self.operator(node), "..") && !self.is_in(node) {
                    self.flaw(What::Guard, "..");
                }
                self.then([Step::Guard(left), Step::Guard(right)]);
            }
            "unary_operator" => {
                let Some(operand) = field(node, "operand") else { return };
                match self.operator(node) {
                    "@" => {}
                    "not" | "+" | "-" => self.steps.push(Step::Guard(operand)),
                    sign => self.flaw(What::Guard, sign),
                }
            }
            "access_call" | "anonymous_function" | "interpolation" => {
                self.flaw(What::Guard, self.of(node));
            }
            _ => self.all(node, Step::Guard),
        }
    }

    /// Whether a range stands right of `in`, or in a range with a step that does.
    fn is_in(&self, range: Node<'t>) -> bool {
        let above = range.parent();
        above.is_some_and(|above| {
            matches!(self.operator(above), "in" | "not in" | "//")
                && field(above, "left")
                    .is_none_or(|left| left.id() != range.id() || self.operator(above) == "//")
        })
    }
}

/// Attributes that hold types and text.
fn is_prose(name: &str) -> bool {
    matches!(
        name,
        "spec" | "type" | "typep" | "opaque" | "callback" | "macrocallback" | "doc" | "moduledoc" | "typedoc"
    )
}
