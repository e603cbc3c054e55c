defmodule Ambix.Fix.Candidate do
  @moduledoc false
  # A change that may mend the tests: edits one after the other, each against the text that those before it leave. What a
  # candidate is built on, `before`, are files with their changed text; `sources` are these with its own change.

  alias Ambix.{Index, Native}

  @doc """
  A proposal of the native library on top of `parent` (nil for the project as it is), with its number `payload`.
  """
  def new(proposal, payload, parent) do
    {size, before, steps} = if parent, do: {parent.size, parent.sources, parent.steps}, else: {0, %{}, []}

    Map.merge(proposal, %{
      payload: payload,
      size: proposal.size + size,
      before: before,
      steps: steps ++ steps(proposal),
      sources: nil,
      node: nil,
      judged: false,
      patient: false
    })
  end

  # All edits of a proposal are against the same text: from the last one on, none moves those before it.
  defp steps(%{file: file, edits: edits, size: size}) do
    for edit <- Enum.sort(edits, :desc), do: %{file: file, edit: edit, size: size / length(edits)}
  end

  @doc "With the changed files. They are made when a candidate is tried: thousands of copies of a file are many megabytes."
  def with_sources(candidate, index) do
    with {:ok, text} <- text(index, candidate.before, candidate.file),
         {:ok, changed} <- Native.edit_apply(text, candidate.edits) do
      {:ok, %{candidate | sources: Map.put(candidate.before, candidate.file, changed)}}
    end
  end

  @doc "What a sandbox is given to try; the candidate has its sources."
  def mutant(candidate, index) do
    changes =
      for {file, text} <- candidate.sources, candidate.before[file] != text, into: %{}, do: {file, text}

    with {:ok, within} <- within(candidate, index),
         do: {:ok, %{id: candidate.payload, changes: changes, within: within}}
  end

  defp within(%{within: nil}, _index), do: {:ok, nil}

  defp within(%{within: {start, stop, first, last}, file: file} = candidate, index) do
    changed = candidate.sources[file]

    with {:ok, text} <- text(index, candidate.before, file) do
      length = stop - start + byte_size(changed) - byte_size(text)
      text = binary_part(changed, start, length)
      {:ok, %{file: file, first: first, last: last, start: start, stop: stop, text: text}}
    end
  end

  defp text(index, sources, file) do
    case sources do
      %{^file => text} -> {:ok, text}
      _ -> Index.text(index, file)
    end
  end

  @doc """
  The candidates that lack one of the edits of this one, numbered from `payload` on, with their sources. An edit that another
  one has changed again cannot be left out.
  """
  def reductions(%{steps: [_]}, _payload, _index), do: []

  def reductions(candidate, payload, index) do
    for nth <- 0..(length(candidate.steps) - 1),
        steps = without(candidate.steps, nth),
        {:ok, sources} <- [apply_all(steps, index)],
        reduce: [] do
      found ->
        one = %{
          candidate
          | payload: payload + length(found),
            size: steps |> Enum.map(& &1.size) |> Enum.sum() |> round(),
            steps: steps,
            before: %{},
            sources: sources,
            within: nil,
            node: nil,
            judged: false
        }

        [one | found]
    end
    |> Enum.reverse()
  end

  @doc """
  Steps without the one at `nth`, or nil if a later one lies in what that one wrote.

      iex> steps = [%{file: "a", edit: {0, 1, "long"}}, %{file: "a", edit: {7, 8, "x"}}]
      iex> Ambix.Fix.Candidate.without(steps, 0)
      [%{file: "a", edit: {4, 5, "x"}}]
  """
  def without(steps, nth) do
    {kept, [%{file: file, edit: {start, stop, text}} | later]} = Enum.split(steps, nth)
    written = {start, start + byte_size(text)}
    moved = stop - start - byte_size(text)

    later
    |> Enum.reduce_while({kept, written}, fn
      %{file: ^file} = step, {kept, written} ->
        case beside(step.edit, written, moved) do
          nil -> {:halt, nil}
          {edit, written} -> {:cont, {kept ++ [%{step | edit: edit}], written}}
        end

      step, {kept, written} ->
        {:cont, {kept ++ [step], written}}
    end)
    |> case do
      nil -> nil
      {kept, _} -> kept
    end
  end

  defp beside({start, stop, text}, {first, last}, moved) do
    cond do
      start >= last -> {{start + moved, stop + moved, text}, {first, last}}
      stop <= first -> {{start, stop, text}, shift({first, last}, byte_size(text) - (stop - start))}
      true -> nil
    end
  end

  defp shift({first, last}, by), do: {first + by, last + by}

  defp apply_all(steps, index) do
    Enum.reduce_while(steps, {:ok, %{}}, fn %{file: file, edit: edit}, {:ok, sources} ->
      with {:ok, text} <- text(index, sources, file),
           {:ok, changed} <- Native.edit_apply(text, [edit]) do
        {:cont, {:ok, Map.put(sources, file, changed)}}
      else
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  @doc "The changed files as patches."
  def patches(candidate, index) do
    for {file, text} <- Enum.sort(candidate.sources),
        {:ok, original} <- [Index.text(index, file)],
        text != original,
        {:ok, diff} <- [Native.edit_diff(file, original, text)],
        do: %{file: file, diff: diff, text: text, original: original}
  end
end
