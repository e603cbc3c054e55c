# What `make demo` runs, in this project's own environment:
#
#     mix run scripts/demo.exs          mends five bugs in copies of examples/shop, then answers questions about it
#     mix run scripts/demo.exs PATH     indexes and searches the project there, and looks for a patch if tests of it fail
#
# The last line of the first form is `demo: mended N of 5 bugs in S seconds`, with the time from the first bug planted to
# the last one given up or mended; the exit code is 0 only if all were mended.

for file <- ~w(engine shop screen) do
  Code.require_file("demo/#{file}.ex", __DIR__)
end

defmodule Demo do
  @moduledoc false

  import Demo.Screen

  alias Demo.{Engine, Shop}

  # For one bug, and for a project.
  @seconds 120

  @query "spread a discount over the lines of a cart without losing a cent"
  @question "How long does a reservation hold its goods, and what happens when that time is over?"

  @doc "Mends the bugs of the shop, then searches it and asks about it. Returns the exit code."
  def shop do
    title("Ambix mends five bugs in copies of examples/shop, then answers questions about it")
    bugs = Shop.bugs()

    Shop.in_temporary_folder(fn folder ->
      started = System.monotonic_time(:second)
      mended = bugs |> Enum.with_index(1) |> Enum.count(&mended?(&1, length(bugs), folder))
      seconds = System.monotonic_time(:second) - started

      guard(fn ->
        with {:ok, index, encoder} <- read(Shop.copy(folder, "healthy"), Path.join(folder, "index.ambix")),
             :ok <- search(index, encoder, @query),
             do: ask(index, encoder, @question)
      end)

      IO.puts("\ndemo: mended #{mended} of #{length(bugs)} bugs in #{seconds} seconds")
      if mended == length(bugs), do: 0, else: 1
    end)
  end

  @doc """
  Indexes and searches the project in `root`, and looks for a patch if it has failing tests. Nothing is written to it.
  Returns the exit code.
  """
  def project(root) do
    title("Ambix reads #{Path.expand(root)}")

    answered =
      guard(fn ->
        with {:ok, index, encoder} <- read(root, nil),
             {:ok, query} <- query(index),
             :ok <- search(index, encoder, query),
             do: ask(index, encoder, "What is #{query} for, and how does it work?")
      end)

    if answered == :ok and guard(fn -> mend_project(root) end) == :ok, do: 0, else: 1
  end

  # Whether the fixer found a patch, the patch could be applied, and no test fails after that.
  defp mended?({bug, number}, count, folder) do
    heading("Bug #{number} of #{count}: #{bug.name}")
    say(bug.about)

    :ok ==
      guard(fn ->
        root = Shop.copy(folder, bug.name)
        Shop.plant(root, bug)

        with {:ok, %{status: :mended} = result} <- watch(&Engine.fix(root, @seconds, &1)),
             :ok <- Engine.apply_patches(root, result),
             {:ok, %{status: :nothing_failing}} <- Engine.fix(root, @seconds, fn _event -> :ok end) do
          say("With the patch applied, all tests pass.")
        else
          {:ok, _not_mended} -> :not_mended
          {:error, error} -> {:error, error}
        end
      end)
  end

  defp mend_project(root) do
    heading("Failing tests")

    if Engine.tests?(root) do
      with {:ok, result} <- watch(&Engine.fix(root, @seconds, &1)) do
        case result.status do
          :nothing_failing ->
            say("No test fails.")

          :mended ->
            say("Nothing was written to the project; in it, mix ambix.fix --apply writes such a patch.")

          :none ->
            :not_mended
        end
      end
    else
      say("There are none: this is no mix project with tests.")
    end
  end

  defp read(root, index_file) do
    heading("Index")
    encoder = Engine.encoder() |> or_without("vectors")

    with {:ok, index} <- progress(&Engine.index(root, index_file, encoder, &1)),
         {:ok, info} <- Engine.info(index) do
      table(info)
      {:ok, index, encoder}
    end
  end

  # What to ask about a project that nobody has told us of: what most of its code leads to.
  defp query(index) do
    case {System.get_env("QUERY", ""), Engine.central(index)} do
      {"", {:ok, [symbol | _]}} -> {:ok, symbol}
      {"", {:ok, []}} -> {:ok, "main entry point"}
      {"", {:error, error}} -> {:error, error}
      {query, _central} -> {:ok, query}
    end
  end

  defp search(index, encoder, query) do
    heading("Search: #{query}")

    with {:ok, answer} <- Engine.search(index, encoder, query) do
      places(answer.results)
      say(made_from(answer.made_from))
    end
  end

  defp made_from(%{semantic: true} = made),
    do: "Made from words and from vectors of #{made.vectors} of #{made.chunks} chunks."

  defp made_from(_lexical), do: "Made from words alone."

  defp ask(index, encoder, question) do
    heading("Ask: #{question}")

    case Engine.model() |> or_without("a model") do
      nil ->
        :ok

      model ->
        with {:ok, sources, answer} <- Engine.ask(index, encoder, model, question) do
          stream(answer)
          places(sources)
        end
    end
  end

  defp or_without({:ok, found}, _what), do: found

  defp or_without({:error, error}, what) do
    say("Goes on without #{what}: #{Exception.message(error)}")
    nil
  end
end

code =
  Ambix.CLI.Interrupt.run([], fn ->
    case Enum.reject(System.argv(), &(&1 == "")) do
      [] -> Demo.shop()
      [root | _] -> Demo.project(root)
    end
  end)

if code != 0, do: exit({:shutdown, code})
