defmodule Ambix.Optional do
  @moduledoc """
  Libraries that Ambix uses when the host has them, and does without otherwise.

  None is declared as a dependency, so what the host has is known at run time only. Code that uses such a library calls it remotely
  and asks here first.
  """

  # Where it is not there, the code server looks through all folders of the code path, which takes longer than many a query.
  @ask_again_ms 1000

  @doc """
  Whether `module` can be called.

  A positive answer is kept. A negative one holds for a second unless the module is loaded meanwhile, since a library may come
  later (in IEx or Livebook).

      iex> Ambix.Optional.available?(Enum)
      true
      iex> Ambix.Optional.available?(NoSuchLibrary)
      false
  """
  @spec available?(module) :: boolean
  def available?(module) when is_atom(module) do
    key = {__MODULE__, module}

    case :persistent_term.get(key, nil) do
      true ->
        true

      nil ->
        ask(module, key, :atomics.new(1, signed: true))

      asked ->
        recent? = now() - :atomics.get(asked, 1) < @ask_again_ms
        if recent? and not :erlang.module_loaded(module), do: false, else: ask(module, key, asked)
    end
  end

  # The time is kept when the answer is there: until then others ask, too, and wait for it.
  defp ask(module, key, asked) do
    loaded = Code.ensure_loaded?(module)

    if loaded do
      :persistent_term.put(key, true)
    else
      :atomics.put(asked, 1, now())
      :persistent_term.put(key, asked)
    end

    loaded
  end

  defp now, do: System.monotonic_time(:millisecond)

  @doc """
  Returns `:ok` if `module` can be called, and raises the line to add to `mix.exs` otherwise.

  `requirement` is a version, as in `"0.12"`, or a whole dependency, as in `{:nx, "~> 0.7"}` where the package's name is not the
  module's.
  """
  @spec require!(module, String.t() | {atom, String.t()}) :: :ok
  def require!(module, requirement) do
    if available?(module) do
      :ok
    else
      raise ArgumentError,
            "#{inspect(module)} is not available, add #{inspect(dependency(module, requirement))} " <>
              "to the dependencies in mix.exs"
    end
  end

  defp dependency(_module, {package, requirement}), do: {package, requirement}

  defp dependency(module, version) do
    package = module |> inspect() |> String.trim_leading(":") |> Macro.underscore()
    {String.to_atom(package), "~> " <> version}
  end
end
