defmodule Ambix.Tool.Results do
  @moduledoc false
  # The answer of a tool that reads: places as data and as lines of text, as many as the budget of the call holds, with the state of the
  # index. Both the text and the JSON of the data fit the budget, for clients differ in which of them they show a model.

  alias Ambix.{JSON, Tool}
  alias Ambix.Tool.{Answer, Budget, Host}

  # Less holds no answer at all: its skeleton, and how to go on.
  @least 120
  # The sentence that says how to go on, in the text and in the data.
  @next 40
  @line 240

  @typedoc "One result: what JSON says of it, and its text without a line feed at the end."
  @type entry :: {data :: map, text :: String.t()}

  @doc "The JSON Schema of the data of all these answers; each result has these keys."
  @spec schema([String.t()]) :: map
  def schema(keys) do
    %{
      "type" => "object",
      "properties" => %{
        "results" => %{"type" => "array", "items" => %{"type" => "object", "required" => keys}},
        "status" => %{"type" => "object"},
        "truncated" => %{"type" => "boolean"}
      },
      "required" => ["results", "status", "truncated"]
    }
  end

  @doc """
  An answer of as many entries as fit.

    * `head`: the first line of the text, or nil
    * `data`: what else the data says
    * `status`: as `Ambix.Tool.Host.status/2` tells it
    * `next`: a function of how many entries are shown: the sentence that says how to go on, or nil where that was all
  """
  @spec answer([entry], Tool.Call.t(), keyword) :: Answer.t()
  def answer(entries, call, parts), do: build(entries, room(call, parts), parts, call)

  @doc "How many tokens of text and of JSON the entries of such an answer may have."
  @spec room(Tool.Call.t(), keyword) :: integer
  def room(call, parts) do
    {frame, text} = frame(parts, [], nil)
    call.budget - max(tokens(frame), Budget.count(text)) - @next
  end

  @doc "What an entry takes of the room."
  @spec cost(entry) :: non_neg_integer
  def cost({data, text}), do: max(tokens(data), Budget.count(text)) + 1

  @doc "A line of text that is not longer than is good for a list."
  @spec line(String.t()) :: String.t()
  def line(text) do
    text = text |> String.trim() |> String.replace(~r/\s+/, " ")
    if String.length(text) > @line, do: String.slice(text, 0, @line) <> " …", else: text
  end

  defp build(entries, room, parts, call) do
    {shown, _} =
      Enum.reduce_while(entries, {[], room}, fn entry, {shown, left} ->
        left = left - cost(entry)
        if left < 0, do: {:halt, {shown, left}}, else: {:cont, {[entry | shown], left}}
      end)

    fitted(Enum.reverse(shown), entries, parts, call)
  end

  # The estimate of a sum may be a token too low for each place where two texts meet.
  defp fitted(shown, entries, parts, call) do
    count = length(shown)
    next = if(parts[:next], do: parts[:next].(count))
    next = next || if(count < length(entries), do: "give a larger budget")
    {data, text} = frame(parts, shown, next)

    cond do
      max(tokens(data), Budget.count(text)) <= call.budget ->
        %Answer{data: data, text: text, truncated: next != nil, next: next}

      shown != [] ->
        fitted(Enum.drop(shown, -1), entries, parts, call)

      true ->
        text = Budget.cut(text, call.budget)
        %Answer{data: bare(data, call), text: text, truncated: true, next: next}
    end
  end

  defp bare(data, %{budget: budget}) when budget >= @least, do: data

  defp bare(data, _call),
    do: %{"results" => [], "status" => Map.take(data["status"], ["state"]), "truncated" => true}

  defp frame(parts, shown, next) do
    status = parts[:status]

    data =
      Map.merge(parts[:data] || %{}, %{
        "results" => Enum.map(shown, &elem(&1, 0)),
        "status" => status,
        "truncated" => next != nil,
        "next" => next
      })

    lines =
      List.wrap(Host.remark(status)) ++
        List.wrap(parts[:head]) ++
        Enum.map(shown, &elem(&1, 1)) ++ if(next, do: ["[more: #{next}]"], else: [])

    {data, Enum.join(lines, "\n")}
  end

  defp tokens(data), do: data |> JSON.encode!() |> Budget.count()

  @doc "What the tie of two symbols rests on: `compiler`, `source`, or that it is a guess."
  @spec rests(map) :: String.t()
  def rests(%{why: "compiled"}), do: "compiler"
  def rests(%{certain: true}), do: "source"
  def rests(_tie), do: "guess"
end
