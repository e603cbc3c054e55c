defmodule Ambix.Fix.Target do
  @moduledoc false
  # `FILE` or `FILE:LINE`, as people write it: which tests are to be mended, or what may be changed.

  alias Ambix.Error
  alias Ambix.Tool.Paths

  defstruct file: nil, line: nil, test?: false

  def parse(_root, nil), do: {:ok, %__MODULE__{}}

  def parse(root, text) do
    {file, line} =
      case Regex.run(~r/\A(.+):(\d{1,9})\z/s, text) do
        [_, file, line] -> {file, String.to_integer(line)}
        nil -> {text, nil}
      end

    path = Path.expand(file, root)
    relative = Path.relative_to(path, root)

    # Whoever calls a tool wrote it, and reads it again in the error.
    shown = Paths.shown(file)

    cond do
      not File.regular?(path) ->
        {:error, Error.new(:not_found, "there is no file #{shown} in #{root}", %{path: path})}

      Path.type(relative) == :absolute ->
        {:error, Error.new(:invalid_argument, "#{shown} is not inside #{root}", %{path: path})}

      true ->
        {:ok, %__MODULE__{file: relative, line: line, test?: String.ends_with?(relative, ".exs")}}
    end
  end

  # A line inside a test names that test, as `mix test FILE:LINE` has it: the last one that begins at or above it. Here
  # every test knows only where it begins, so a line selects tests that begin within ten lines above it.
  def wants_test?(%__MODULE__{test?: false}, _test), do: true
  def wants_test?(%__MODULE__{file: file, line: nil}, test), do: test.file == file

  def wants_test?(%__MODULE__{file: file, line: line}, test),
    do: test.file == file and test.line <= line and line - test.line <= 10

  @doc """
  Where the fault is looked for. What stands in the folder of test files, such as `test/support`, is no part of what they test.

      iex> tests = [%{file: "test/a_test.exs"}, %{file: "lib/b_test.exs"}, %{file: "c_test.exs"}]
      iex> Ambix.Fix.Target.scope(%Ambix.Fix.Target{file: "lib/a.ex", line: 3}, tests)
      %{file: "lib/a.ex", line: 3, outside: ["test"]}
      iex> Ambix.Fix.Target.scope(%Ambix.Fix.Target{file: "test/a_test.exs", line: 3, test?: true}, tests)
      %{file: nil, line: nil, outside: ["test"]}
  """
  def scope(%__MODULE__{test?: true}, tests), do: scope(%__MODULE__{}, tests)

  def scope(%__MODULE__{file: file, line: line}, tests) do
    folders =
      for %{file: file} <- tests,
          [folder, _ | _] <- [Path.split(file)],
          folder != "lib",
          uniq: true,
          do: folder

    %{file: file, line: line, outside: folders}
  end
end
