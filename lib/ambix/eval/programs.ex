defmodule Ambix.Eval.Programs do
  @moduledoc false
  # Programming problems with hidden tests: a model completes the prompt, and the tests run once, in the sandbox, after the answer is final.

  alias Ambix.{Error, Model, Sandbox}

  # Limits of one run of the hidden tests.
  @limits [wall_clock_ms: 30_000, memory_mb: 1024]
  @max_tokens 512

  @type problem :: %{String.t() => term}
  @type model ::
          (String.t(), keyword -> {:ok, %{text: String.t(), tokens: non_neg_integer}} | {:error, Error.t()})

  @doc "The names of the techniques."
  @spec techniques() :: [atom]
  def techniques, do: [:greedy]

  @doc """
  Answers a problem and runs its hidden tests: `name`, `passed`, `answer` (the completion, cut at the first stop token), `tokens`, `executions`
  and `seconds`.
  """
  @spec solve(problem, :greedy, model, non_neg_integer) :: {:ok, map} | {:error, Error.t()}
  def solve(problem, :greedy, model, seed) do
    began = System.monotonic_time(:microsecond)
    stops = problem["stop_tokens"] || []
    opts = [raw: true, temperature: 0.0, max_tokens: @max_tokens, stop: stops, seed: seed]

    with {:ok, %{text: text, tokens: tokens}} <- model.(problem["prompt"], opts),
         answer = cut(text, stops),
         {:ok, passed} <- passed?(problem["prompt"] <> answer, problem["tests"]) do
      {:ok,
       %{
         name: problem["name"],
         passed: passed,
         answer: answer,
         tokens: tokens,
         executions: 1,
         seconds: (System.monotonic_time(:microsecond) - began) / 1_000_000
       }}
    end
  end

  @doc "A model as `solve/4` wants it."
  @spec generator(Model.t()) :: model
  def generator(model), do: fn prompt, opts -> Model.generate(model, prompt, opts) end

  @doc "The text before the first of the stop tokens."
  @spec cut(String.t(), [String.t()]) :: String.t()
  def cut(text, []), do: text
  def cut(text, stops), do: text |> String.split(stops, parts: 2) |> hd()

  @doc """
  Whether a program passes tests that use ExUnit.

  A program counts as passing when every test ran and none failed, not merely when it ended well: an answer may end the VM before the
  tests begin. The line that says so carries a number that is drawn for each run. The program and its tests are one script, so one that reads its own text
  could still lie.
  """
  @spec passed?(String.t(), String.t()) :: {:ok, boolean} | {:error, Error.t()}
  def passed?(program, tests) do
    mark = Base.encode16(:crypto.strong_rand_bytes(16))

    report = """
    ExUnit.after_suite(fn result ->
      IO.puts(["\\n#{mark} ", Integer.to_string(result.total), " ", Integer.to_string(result.failures)])
    end)
    """

    with {:ok, result} <- Sandbox.run({:elixir, Enum.join([program, tests, report], "\n")}, @limits) do
      ran = Regex.run(~r/^#{mark} (\d+) (\d+)$/m, result.output)
      {:ok, result.exit_status == 0 and match?([_, total, "0"] when total != "0", ran)}
    end
  end
end
