defmodule Ambix.Tool.Pattern do
  @moduledoc """
  Code with holes, and the places of a text that have its form.

  A pattern is Elixir: `_` stands for anything, a variable for anything that is the same wherever the variable is, `...` for any number
  of arguments or members. `Repo` is also `Shop.Repo`. A pipe is the call that it stands for. A map or struct has at least the keys of
  the pattern, and a definition without a body any body:

      iex> {:ok, pattern} = Ambix.Tool.Pattern.compile("Repo.get!(_, id)")
      iex> Ambix.Tool.Pattern.lines(pattern, "def a(id), do: User |> Shop.Repo.get!(id)")
      [1]
  """

  alias Ambix.{Error, Quoted}

  @enforce_keys [:syntax, :word]
  defstruct [:syntax, :word]

  @typedoc "`word` is a name that a text has which holds the pattern; nil where none is known."
  @type t :: %__MODULE__{syntax: term, word: String.t() | nil}

  @most_bytes 2_000
  # How often it is tried to let `...` stand for one more: for one form, and in one text. Several of them in a list would else be tried in
  # as many ways as there are to choose so many of its members.
  @most_ways 100_000
  @most_ways_of_text 5_000_000
  @definitions ~w(def defp defmacro defmacrop defguard defguardp)

  @doc "Whether a text looks like a pattern, and not like a name, words or a regular expression."
  @spec pattern?(String.t()) :: boolean
  def pattern?(text) do
    text =~ ~r/(?<![\w:\\.])_(?!\w)|(?<![.\w])\.\.\.(?!\.)/ and text =~ ~r/[({\[|=]/ and
      match?({:ok, _}, compile(text))
  end

  @doc "Reads a pattern."
  @spec compile(String.t()) :: {:ok, t} | {:error, Error.t()}
  def compile(text) when byte_size(text) > @most_bytes,
    do: {:error, Error.new(:limit, "the pattern is longer than #{@most_bytes} bytes; shorten it")}

  def compile(text) do
    case Quoted.parse(text) do
      {:ok, syntax} when not is_nil(syntax) ->
        syntax = normal(syntax)

        if hole?(syntax),
          do:
            {:error, Error.new(:invalid_argument, "the pattern matches everything; write a call around it")},
          else: {:ok, %__MODULE__{syntax: syntax, word: word(syntax)}}

      _ ->
        sentence =
          "the pattern is no Elixir code; write it as code with _ for anything, such as Repo.get!(_, _)"

        {:error, Error.new(:invalid_argument, sentence)}
    end
  end

  defp hole?({name, _, context}) when is_binary(name) and not is_list(context), do: true
  defp hole?({:..., _, context}) when not is_list(context), do: true
  defp hole?(_syntax), do: false

  @doc """
  The lines on which the code of a text has the form of the pattern; none where it does not parse. In how many ways `...` is tried is bounded,
  and what none of them fits is left out.
  """
  @spec lines(t, String.t()) :: [pos_integer]
  def lines(%__MODULE__{syntax: wanted}, text) do
    case Quoted.parse(text) do
      {:ok, syntax} ->
        ways = :counters.new(1, [])
        syntax |> normal() |> found(wanted, 1, [], ways) |> Enum.uniq() |> Enum.sort()

      :error ->
        []
    end
  end

  # A literal has no line of its own: that of what it is in counts.
  defp found(node, wanted, line, lines, ways) do
    line = line(node, line)
    lines = if fits?(wanted, node, ways), do: [line | lines], else: lines
    node |> children() |> Enum.reduce(lines, &found(&1, wanted, line, &2, ways))
  end

  # Beside the variables, which are strings, stand the ways that were tried, and how many may be.
  defp fits?(wanted, node, ways) do
    most = min(:counters.get(ways, 1) + @most_ways, @most_ways_of_text)
    match(wanted, node, %{ways: {ways, most}}) != :no
  catch
    :too_many_ways -> false
  end

  defp another_way(%{ways: {ways, most}}) do
    :counters.add(ways, 1, 1)
    if :counters.get(ways, 1) > most, do: throw(:too_many_ways)
  end

  defp line({_, meta, _}, line) when is_list(meta), do: Keyword.get(meta, :line, line)
  defp line(_node, line), do: line

  defp children({form, _, arguments}) when is_list(arguments), do: [form | arguments]
  defp children({form, _, _}), do: if(is_tuple(form), do: [form], else: [])
  defp children({left, right}), do: [left, right]
  defp children(list) when is_list(list), do: list
  defp children(_other), do: []

  # Pipes as calls; the line of a call is that of its name.
  defp normal({:|>, _, [value, call]}), do: value |> normal() |> piped(normal(call))
  defp normal({form, meta, arguments}), do: {normal(form), meta, normal(arguments)}
  defp normal({left, right}), do: {normal(left), normal(right)}
  defp normal(list) when is_list(list), do: Enum.map(list, &normal/1)
  defp normal(other), do: other

  defp piped(value, {form, meta, arguments}) when is_list(arguments), do: {form, meta, [value | arguments]}
  defp piped(value, {form, meta, _}), do: {form, meta, [value]}
  defp piped(value, other), do: {:|>, [], [value, other]}

  # Gives what the variables of the pattern stand for.
  defp match({"_", _, context}, _node, bound) when not is_list(context), do: bound

  defp match({name, _, context}, node, bound) when is_binary(name) and not is_list(context) do
    case bound do
      %{^name => other} -> if same?(node, other), do: bound, else: :no
      _ -> Map.put(bound, name, node)
    end
  end

  defp match({:__aliases__, _, wanted}, {:__aliases__, _, names}, bound),
    do: if(List.starts_with?(Enum.reverse(names), Enum.reverse(wanted)), do: bound, else: :no)

  defp match({:%{}, _, wanted}, {:%{}, _, pairs}, bound) do
    Enum.reduce_while(wanted, bound, fn pair, bound ->
      case Enum.find_value(pairs, :no, &fitting(pair, &1, bound)) do
        :no -> {:halt, :no}
        bound -> {:cont, bound}
      end
    end)
  end

  defp match({form, _, [head]}, {form, _, [whole, _body]}, bound) when form in @definitions,
    do: match(head, unguarded(head, whole), bound)

  defp match({form, _, arguments}, {other, _, others}, bound) when is_list(arguments) and is_list(others),
    do: with(%{} = bound <- match(form, other, bound), do: all(arguments, others, bound))

  defp match({_, _, _}, _node, _bound), do: :no

  defp match({left, right}, {a, b}, bound),
    do: with(%{} = bound <- match(left, a, bound), do: match(right, b, bound))

  defp match(wanted, nodes, bound) when is_list(wanted) and is_list(nodes), do: all(wanted, nodes, bound)
  defp match(same, same, bound), do: bound
  defp match(_wanted, _node, _bound), do: :no

  defp fitting(pair, candidate, bound) do
    case match(pair, candidate, bound) do
      :no -> nil
      bound -> bound
    end
  end

  # A head without a guard is that of a definition with one.
  defp unguarded({"when", _, _}, whole), do: whole
  defp unguarded({:when, _, _}, whole), do: whole
  defp unguarded(_head, {form, _, [head, _guard]}) when form in [:when, "when"], do: head
  defp unguarded(_head, whole), do: whole

  defp all([], [], bound), do: bound
  defp all([{:..., _, context}], _nodes, bound) when not is_list(context) or context == [], do: bound

  defp all([{:..., _, context} | wanted] = all, nodes, bound) when not is_list(context) or context == [] do
    another_way(bound)

    with :no <- all(wanted, nodes, bound),
         do: if(nodes == [], do: :no, else: all(all, tl(nodes), bound))
  end

  defp all([wanted | more], [node | nodes], bound),
    do: with(%{} = bound <- match(wanted, node, bound), do: all(more, nodes, bound))

  defp all(_wanted, _nodes, _bound), do: :no

  # Wherever they stand.
  defp same?({form, _, arguments}, {other, _, others}), do: same?(form, other) and same?(arguments, others)
  defp same?({left, right}, {a, b}), do: same?(left, a) and same?(right, b)
  defp same?([one | more], [other | others]), do: same?(one, other) and same?(more, others)
  defp same?(one, other), do: one == other

  # The longest name says most. Those of variables say nothing.
  defp word(syntax) do
    syntax
    |> names()
    |> Enum.filter(&(&1 =~ ~r/\A\w+[?!]?\z/ and &1 not in ["do", "else"]))
    |> Enum.max_by(&byte_size/1, fn -> nil end)
  end

  defp names({:__aliases__, _, names}), do: Enum.filter(names, &is_binary/1)
  defp names({name, _, arguments}) when is_binary(name) and is_list(arguments), do: [name | names(arguments)]
  defp names({name, _, _}) when is_binary(name), do: []
  defp names(name) when is_binary(name), do: [name]
  defp names(node), do: node |> children() |> Enum.flat_map(&names/1)
end
