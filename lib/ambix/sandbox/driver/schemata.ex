defmodule Ambix.Sandbox.Driver.Schemata do
  @moduledoc false
  # Many mutants in one compilation: every changed function is kept beside the original under a name of its own, and the
  # original's name picks one of them when it is called ("mutant schemata", Untch, Offutt and Harrold, ISSTA 1993).
  #
  # What cannot be had this way is handed back as unfit, to be compiled by itself.

  @table __MODULE__
  @chosen {__MODULE__, :chosen}
  # The lines of a mutant are moved by its number times this, so that a diagnostic tells whose it is. Lines may have 24 bits.
  @stride 60_000
  @most_lines 16_000_000
  # Calls of a function that are remembered, how large their arguments may be, and the time that one mutant and that all have to
  # answer them.
  @most_calls 2_000
  @most_words 20_000
  @patience_each_ms 200
  @patience_ms 2_000

  @typedoc "The new clauses of a function, in place of those between two lines and two bytes of a file."
  @type mutant :: %{
          id: pos_integer(),
          file: String.t(),
          first: pos_integer(),
          last: pos_integer(),
          start: non_neg_integer(),
          stop: non_neg_integer(),
          text: String.t()
        }

  def start, do: :ets.new(@table, [:named_table, :public, :set])

  @doc """
  From now on the functions are those of this mutant; 0 is the original. With `:watch` they are the original's too, and it
  is remembered whose were called.
  """
  def choose(id), do: :persistent_term.put(@chosen, id)

  @doc "Called by functions that are watched, with the name of the original and the mutants that there are of it."
  def called(module, name, arguments, ids) do
    function = {module, name, length(arguments)}
    count = :ets.update_counter(@table, {:calls, function}, {2, 1}, {{:calls, function}, 0, ids})

    cond do
      count > @most_calls -> :ok
      :erts_debug.flat_size(arguments) <= @most_words -> :ets.insert(@table, {{:call, function, arguments}})
      # What is not remembered cannot be compared.
      true -> :ets.update_counter(@table, {:calls, function}, {2, @most_calls})
    end
  end

  @doc """
  The mutants of functions that were called while they were watched, since the last time this was asked, and that
  answer otherwise than the original to one of these calls: what was compiled meanwhile would be different with them.
  """
  def take_called do
    called = :ets.select(@table, [{{{:calls, :"$1"}, :"$2", :"$3"}, [], [{{:"$1", :"$2", :"$3"}}]}])
    deadline = System.monotonic_time(:millisecond) + @patience_ms

    different =
      for {function, count, ids} <- called,
          id <- ids,
          count > @most_calls or different?(function, id, deadline),
          do: id

    :ets.match_delete(@table, {{:calls, :_}, :_, :_})
    :ets.match_delete(@table, {{:call, :_, :_}})
    different
  end

  # One that has no time to answer may be different.
  defp different?({module, name, _arity} = function, id, deadline) do
    calls = :ets.select(@table, [{{{:call, function, :"$1"}}, [], [:"$1"]}])
    answers = fn id -> for arguments <- calls, do: answer(module, copy(name, id), arguments) end
    {pid, monitor} = spawn_monitor(fn -> exit({:different, answers.(0) != answers.(id)}) end)
    left = max(deadline - System.monotonic_time(:millisecond), 0)

    receive do
      {:DOWN, ^monitor, _, _, {:different, different?}} -> different?
      {:DOWN, ^monitor, _, _, _} -> true
    after
      min(left, @patience_each_ms) ->
        Process.demonitor(monitor, [:flush])
        Process.exit(pid, :kill)
        true
    end
  end

  # The functions that a mutant calls are the originals, itself too: they were watched, so that if no single call differs, no
  # more does what they add up to.
  defp answer(module, name, arguments) do
    {:ok, module.__ambix_schemata__(name, arguments)}
  catch
    kind, reason -> {kind, reason}
  end

  @doc """
  The text of a file that compiles to all of the mutants, and the numbers of those that cannot be among them.
  `batch` must differ from call to call, so that Mix sees that the file has changed.
  """
  @spec prepare(Path.t(), String.t(), [mutant()], term()) :: {String.t(), [pos_integer()]}
  def prepare(path, text, mutants, batch) do
    parsed = Enum.map(mutants, &{&1, clauses(&1, path)})
    {fit, unfit} = Enum.split_with(parsed, fn {_, clauses} -> clauses != nil end)
    unfit = for {mutant, _} <- unfit, do: mutant.id

    case Code.string_to_quoted(text, file: path) do
      {:ok, syntax} ->
        groups = Enum.group_by(fit, fn {mutant, _} -> {mutant.first, mutant.last} end)
        {syntax, placed} = place(syntax, groups)
        :ets.insert(@table, {path, syntax})
        known = for {mutant, _} <- fit, mutant.id not in placed, do: mutant.id
        {"#{inspect(__MODULE__)}.evaluate(__ENV__)\n# #{batch}\n", unfit ++ known}

      {:error, _} ->
        {text, Enum.map(mutants, & &1.id)}
    end
  end

  @doc "The text of the file as the mutant has it."
  @spec changed(mutant(), String.t()) :: String.t()
  def changed(%{start: start, stop: stop, text: text}, whole),
    do: binary_part(whole, 0, start) <> text <> binary_part(whole, stop, byte_size(whole) - stop)

  @doc "Called by the file that stands for the mutants, while it is compiled."
  def evaluate(env) do
    [{_, syntax}] = :ets.lookup(@table, env.file)

    # From Elixir 1.16 on, a diagnostic shows its line, for which the file is read line by line as far as that: the lines of mutants
    # are beyond its end, at numbers that take seconds. There is no file of this name, so none is read.
    Code.eval_quoted(syntax, [], %{env | file: env.file <> " (mutants)"})
    :ok
  end

  @doc "The mutant that a diagnostic's line belongs to, or `nil`."
  def owner(line) when line > @stride, do: div(line, @stride)
  def owner(_line), do: nil

  @doc "Those that did not compile, as found since the last call: `[{id, message}]`."
  def take_broken do
    broken = for {{:broken, id}, message} <- :ets.tab2list(@table), do: {id, message}
    :ets.match_delete(@table, {{:broken, :_}, :_})
    Enum.sort(broken)
  end

  @doc "Remembers that a mutant does not compile, and forgets what was defined of it. Called from a module's body."
  def broken(module, function, id, exception) do
    :ets.insert(@table, {{:broken, id}, Exception.message(exception)})
    forget(module, function)
  end

  @doc """
  Ends a module's body: drops the mutants that call what is not there, which would spoil the whole module, and defines
  how one is picked.
  """
  def finish(env, groups) do
    alive =
      for {name, arity, ids} <- groups do
        known = missing(env.module, {copy(name, 0), arity})
        {name, arity, Enum.filter(ids, &alive?(env.module, {copy(name, &1), arity}, &1, known))}
      end

    definitions = Enum.flat_map(alive, &pickers/1) ++ callers(alive)
    Code.eval_quoted({:__block__, [], definitions}, [], env)
  end

  defp pickers({name, arity, ids}) do
    arguments = Macro.generate_arguments(arity, __MODULE__)
    original = quote(do: unquote(copy(name, 0))(unquote_splicing(arguments)))

    watched =
      quote do
        unquote(__MODULE__).called(__MODULE__, unquote(name), unquote(arguments), unquote(ids))
        unquote(original)
      end

    clauses =
      for(id <- ids, do: {id, quote(do: unquote(copy(name, id))(unquote_splicing(arguments)))}) ++
        [{:watch, watched}, {Macro.var(:_, __MODULE__), original}]

    for {pattern, body} <- clauses do
      quote do
        defp unquote(picker(name))(unquote(pattern), unquote_splicing(arguments)), do: unquote(body)
      end
    end
  end

  # The way in from outside to any of the copies.
  defp callers(groups) do
    for {name, arity, ids} <- groups, id <- [0 | ids] do
      arguments = Macro.generate_arguments(arity, __MODULE__)

      quote do
        @doc false
        def __ambix_schemata__(unquote(copy(name, id)), unquote(arguments)),
          do: unquote(copy(name, id))(unquote_splicing(arguments))
      end
    end
  end

  @doc "What a module exports, with its mutants or without."
  def exports(module), do: module.module_info(:exports) -- [__ambix_schemata__: 2]

  ## The syntax of mutants

  # The clauses if they define one function and nothing else.
  defp clauses(mutant, path) do
    with true <- mutant.last < @stride and mutant.id * @stride < @most_lines,
         {:ok, syntax} <- Code.string_to_quoted(mutant.text, file: path, line: mutant.first),
         clauses = expressions(syntax),
         {name, arity} <- function(clauses) do
      %{name: name, arity: arity, clauses: clauses}
    else
      _ -> nil
    end
  end

  # What all of the expressions define: each of them, as `def …` or as code such as `for … do def … end`.
  defp function(expressions) do
    with [{name, arity}] <- expressions |> Enum.map(&defined/1) |> Enum.uniq(),
         false <- Enum.any?(expressions, &overrides?/1),
         do: {name, arity},
         else: (_ -> nil)
  end

  defp defined(expression) do
    case expression |> heads() |> Enum.map(&signature/1) |> Enum.uniq() do
      [signature] -> signature
      _ -> nil
    end
  end

  # The heads of the definitions in the code of a module's body.
  defp heads(expression), do: expression |> definitions() |> Enum.map(fn {_, _, [head | _]} -> head end)

  defp definitions({kind, _, [_ | _]} = definition) when kind in [:def, :defp], do: [definition]
  defp definitions({kind, _, _}) when kind in [:quote, :defmodule, :defmacro, :defmacrop], do: []

  defp definitions({callee, _, arguments}) when is_list(arguments),
    do: definitions(callee) ++ definitions(arguments)

  defp definitions({left, right}), do: definitions(left) ++ definitions(right)
  defp definitions(list) when is_list(list), do: Enum.flat_map(list, &definitions/1)
  defp definitions(_other), do: []

  defp expressions({:__block__, _, expressions}), do: expressions
  defp expressions(expression), do: [expression]

  defp signature(head) do
    case call(head) do
      {name, _, arguments} when is_atom(name) and is_list(arguments) -> {name, length(arguments)}
      {name, _, context} when is_atom(name) and is_atom(context) -> {name, 0}
      _ -> nil
    end
  end

  defp call({:when, _, [call | _]}), do: call
  defp call(call), do: call

  defp overrides?(clause) do
    {_, found} =
      Macro.prewalk(clause, false, fn
        {:super, _, arguments} = node, _ when is_list(arguments) -> {node, true}
        node, found -> {node, found}
      end)

    found
  end

  ## Placing them

  # Answers the syntax with every group that was found replaced, and the numbers of the mutants that were placed. Functions
  # are looked for in the bodies of modules, and in what macros quote or functions define: then each module that is made so
  # gets its own.
  defp place({:__block__, meta, expressions}, groups) do
    {expressions, placed} = Enum.map_reduce(expressions, [], &collect(place(&1, groups), &2))
    {{:__block__, meta, expressions}, placed}
  end

  defp place({kind, meta, [_ | _] = arguments} = syntax, groups)
       when kind in [:defmodule, :defimpl, :quote] do
    case List.pop_at(arguments, -1) do
      {[{:do, body} | sections], front} ->
        {expressions, inner} = body |> expressions() |> Enum.map_reduce([], &collect(place(&1, groups), &2))
        {expressions, own} = body(expressions, groups)

        # What nothing is placed in stays as it is: the value of a quotation is its syntax.
        if own ++ inner == [],
          do: {syntax, []},
          else: {{kind, meta, front ++ [[{:do, {:__block__, [], expressions}} | sections]]}, own ++ inner}

      _ ->
        {syntax, []}
    end
  end

  defp place({kind, meta, [head, sections]}, groups)
       when kind in [:def, :defp, :defmacro, :defmacrop] and is_list(sections) do
    {sections, placed} = quoted(sections, groups)
    {{kind, meta, [head, sections]}, placed}
  end

  defp place(syntax, _groups), do: {syntax, []}

  defp quoted({kind, _, [_ | _]} = syntax, groups) when kind in [:quote, :defmodule],
    do: place(syntax, groups)

  defp quoted({callee, meta, arguments}, groups) when is_list(arguments) do
    {arguments, placed} = quoted(arguments, groups)
    {{callee, meta, arguments}, placed}
  end

  defp quoted({left, right}, groups) do
    {right, placed} = quoted(right, groups)
    {{left, right}, placed}
  end

  defp quoted(list, groups) when is_list(list),
    do: Enum.map_reduce(list, [], &collect(quoted(&1, groups), &2))

  defp quoted(syntax, _groups), do: {syntax, []}

  defp collect({syntax, more}, placed), do: {syntax, more ++ placed}

  defp body(expressions, groups) do
    numbered = Enum.with_index(expressions)

    found =
      for {range, members} <- groups,
          own = for({expression, index} <- numbered, within?(expression, range), do: {expression, index}),
          own != [],
          group = group(own, members),
          do: group

    case found do
      [] ->
        {expressions, []}

      _ ->
        inserted = found |> Enum.flat_map(& &1.inserted) |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
        dropped = found |> Enum.flat_map(& &1.dropped) |> MapSet.new()

        body =
          for {expression, index} <- numbered,
              one <- Map.get(inserted, index, []) ++ if(index in dropped, do: [], else: [expression]),
              do: one

        pickers = Macro.escape(for group <- found, do: {group.name, group.arity, group.ids})
        last = quote(do: unquote(__MODULE__).finish(__ENV__, unquote(pickers)))
        {body ++ [last], Enum.flat_map(found, & &1.ids)}
    end
  end

  defp within?(expression, {first, last}) do
    case definitions(expression) do
      [] -> false
      definitions -> Enum.all?(definitions, fn {_, meta, _} -> meta[:line] in first..last end)
    end
  end

  defp group(own, members) do
    clauses = Enum.map(own, &elem(&1, 0))

    with {name, arity} <- function(clauses),
         members = Enum.filter(members, fn {_, one} -> {one.name, one.arity} == {name, arity} end),
         defaults = defaults(clauses),
         members = Enum.filter(members, fn {_, one} -> strip(defaults(one.clauses)) == strip(defaults) end),
         [_ | _] <- members do
      {_, first} = hd(own)
      {_, last} = List.last(own)
      originals = copies(clauses, name, 0)

      mutants =
        for {mutant, one} <- members do
          one.clauses
          |> copies(name, mutant.id)
          |> Enum.map(&move(&1, mutant.id))
          |> guarded(name, arity, mutant.id)
        end

      [definition | _] = definitions(clauses)

      %{
        name: name,
        arity: arity,
        ids: for({mutant, _} <- members, do: mutant.id),
        inserted: [
          {first, dispatcher(definition, name, arity, Map.new(defaults))}
          | for(one <- originals ++ mutants, do: {last, one})
        ],
        dropped: Enum.map(own, &elem(&1, 1))
      }
    else
      _ -> nil
    end
  end

  # Defaults by position; a function has them in one clause only, its head.
  defp defaults(clauses) do
    for head <- heads(clauses),
        {_, _, arguments} when is_list(arguments) <- [call(head)],
        {{:\\, _, [_, default]}, index} <- Enum.with_index(arguments),
        do: {index, default}
  end

  defp strip(syntax), do: Macro.prewalk(syntax, &Macro.update_meta(&1, fn _ -> [] end))

  defp dispatcher({kind, meta, _}, name, arity, defaults) do
    arguments = Macro.generate_arguments(arity, __MODULE__)

    head =
      for {argument, index} <- Enum.with_index(arguments) do
        case defaults do
          %{^index => default} -> {:\\, [], [argument, default]}
          _ -> argument
        end
      end

    chosen = quote(do: :persistent_term.get(unquote(Macro.escape(@chosen)), 0))
    {kind, meta, [{name, meta, head}, [do: {picker(name), meta, [chosen | arguments]}]]}
  end

  # Private, under another name, without defaults. A head without a body says nothing that the dispatcher does not say.
  defp copies(clauses, name, id) do
    for clause <- clauses,
        not match?({kind, _, [_head]} when kind in [:def, :defp], clause),
        do: private(clause, copy(name, id))
  end

  defp private({kind, meta, [head | body]}, name) when kind in [:def, :defp],
    do: {:defp, meta, [rename(head, name) | body]}

  defp private({callee, meta, arguments}, name) when is_list(arguments),
    do: {private(callee, name), meta, private(arguments, name)}

  defp private({left, right}, name), do: {private(left, name), private(right, name)}
  defp private(list, name) when is_list(list), do: Enum.map(list, &private(&1, name))
  defp private(other, _name), do: other

  defp rename({:when, meta, [call | guards]}, name), do: {:when, meta, [rename(call, name) | guards]}

  defp rename({_, meta, arguments}, name) when is_list(arguments) do
    {name, meta,
     Enum.map(arguments, fn
       {:\\, _, [argument, _]} -> argument
       argument -> argument
     end)}
  end

  defp rename({_, meta, _context}, name), do: {name, meta, []}

  defp move(clause, id) do
    Macro.prewalk(clause, fn node ->
      Macro.update_meta(node, fn meta ->
        if meta[:line], do: Keyword.put(meta, :line, meta[:line] + id * @stride), else: meta
      end)
    end)
  end

  # Before Elixir 1.15 a clause that does not compile raises here; since then all are reported when the module ends.
  defp guarded(clauses, name, arity, id) do
    quote do
      try do
        unquote({:__block__, [], clauses})
      rescue
        exception ->
          unquote(__MODULE__).broken(
            __MODULE__,
            {unquote(copy(name, id)), unquote(arity)},
            unquote(id),
            exception
          )
      end
    end
  end

  defp copy(name, id), do: :"#{name} (#{if id == 0, do: "original", else: "mutant #{id}"})"
  defp picker(name), do: :"#{name} (mutants)"

  ## Calls of what is not there

  # What is found missing in the original is none of a mutant's doing.
  defp alive?(module, function, id, known) do
    case Module.defines?(module, function) and missing(module, function) -- known do
      [] ->
        true

      [{name, arity} | _] ->
        :ets.insert(@table, {{:broken, id}, "undefined function #{name}/#{arity}"})
        forget(module, function)

      false ->
        false
    end
  end

  defp missing(module, function) do
    {:v1, _kind, _meta, clauses} = Module.get_definition(module, function)
    clauses |> Enum.flat_map(&local_calls/1) |> Enum.reject(&Module.defines?(module, &1)) |> Enum.uniq()
  end

  defp forget(module, function) do
    if Module.defines?(module, function), do: Module.delete_definition(module, function)
    false
  end

  # In expanded syntax, where imported functions are calls of their module.
  defp local_calls({_meta, arguments, guards, body}), do: local_calls([arguments, guards, body], [])

  defp local_calls({:"::", _, [value, _type]}, found), do: local_calls(value, found)

  defp local_calls({:&, _, [{:/, _, [{name, _, context}, arity]}]}, found)
       when is_atom(name) and is_atom(context) and is_integer(arity),
       do: [{name, arity} | found]

  defp local_calls({:&, _, _}, found), do: found

  defp local_calls({name, _, arguments}, found) when is_atom(name) and is_list(arguments) do
    arity = length(arguments)

    if Macro.special_form?(name, arity) or name in [:., :when, :->, :|, :super],
      do: local_calls(arguments, found),
      else: local_calls(arguments, [{name, arity} | found])
  end

  defp local_calls({callee, _, arguments}, found) when is_list(arguments),
    do: local_calls(arguments, local_calls(callee, found))

  defp local_calls({left, right}, found), do: local_calls(right, local_calls(left, found))
  defp local_calls(list, found) when is_list(list), do: Enum.reduce(list, found, &local_calls/2)
  defp local_calls(_other, found), do: found
end
