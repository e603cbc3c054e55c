defmodule Ambix.Redact do
  @moduledoc false
  # What a server of ours shows of itself when it crashes or is looked at. Prompts, sources and results of tests pass through its state and
  # messages, and a log is no place for them. `use Ambix.Redact`, behind `use GenServer`, hides them: also in the stack trace, which has the
  # arguments of a function that no clause fits.

  @callbacks [init: 1, handle_call: 3, handle_cast: 2, handle_info: 2, handle_continue: 2, terminate: 2]

  defmacro __using__(_opts) do
    quote do
      @before_compile Ambix.Redact

      if {:format_status, 1} in GenServer.behaviour_info(:optional_callbacks), do: @impl(GenServer)
      @doc false
      defdelegate format_status(status), to: Ambix.Redact
    end
  end

  defmacro __before_compile__(env) do
    # Not those that `use GenServer` defines, which have a context.
    for {name, arity} <- @callbacks,
        {:v1, :def, meta, _clauses} <- [Module.get_definition(env.module, {name, arity})],
        meta[:context] == nil do
      arguments = Macro.generate_arguments(arity, __MODULE__)

      quote do
        defoverridable [{unquote(name), unquote(arity)}]

        @impl GenServer
        def unquote(name)(unquote_splicing(arguments)) do
          result = Ambix.Redact.run(fn -> super(unquote_splicing(arguments)) end)
          unquote(if name == :terminate, do: quote(do: Ambix.Redact.ended(unquote(hd(arguments)))))
          result
        end
      end
    end
  end

  @doc "Runs a callback; what it raises goes on without the terms that it holds."
  @spec run((() -> result)) :: result when result: term
  def run(callback) do
    callback.()
  catch
    kind, reason when kind in [:error, :exit] ->
      :erlang.raise(kind, shape(reason), Enum.map(__STACKTRACE__, &frame/1))
  end

  @doc """
  Whose supervisor is killed is to end as one that is killed itself. It traps exits to clean up before, and to OTP such an end is a crash,
  with a report of it.
  """
  @spec ended(term) :: :ok
  def ended(:killed), do: Process.exit(self(), :kill) && :ok
  def ended(_reason), do: :ok

  @doc "For `format_status/1` of a `GenServer`, as OTP 25 has it: no state, no message, and of a reason only its kind."
  @spec format_status(map) :: map
  def format_status(status) do
    Map.new(status, fn
      {:reason, reason} -> {:reason, shape(reason)}
      {:log, _log} -> {:log, []}
      {key, _value} -> {key, :hidden}
    end)
  end

  @doc "A reason for an exit as words, without the terms that it holds."
  @spec reason(term) :: String.t()
  def reason(reason), do: reason |> shape() |> Exception.format_exit()

  defp shape(reason) when is_atom(reason), do: reason

  defp shape({reason, [_ | _] = stack}) when is_tuple(hd(stack)),
    do: {shape(reason), Enum.map(stack, &frame/1)}

  defp shape(%Ambix.Error{} = error), do: error

  defp shape(%module{__exception__: true}),
    do: %RuntimeError{message: "#{inspect(module)} (its text is hidden)"}

  defp shape({tag, reason}) when tag in [:shutdown, :nocatch], do: {tag, shape(reason)}
  defp shape({tag, _reason}) when is_atom(tag), do: {tag, :hidden}
  defp shape(_reason), do: :hidden

  # A frame has the arguments where no clause took them.
  defp frame({module, function, arguments, place}) when is_list(arguments),
    do: {module, function, length(arguments), place}

  defp frame(frame), do: frame
end
