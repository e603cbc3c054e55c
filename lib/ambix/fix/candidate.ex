defmodule Ambix.Fix.Candidate do
  @moduledoc false
  # What the search knows of a change that may mend the tests. Its edits and texts stay in the native session, which made it and
  # gave it its number, `id`: only what a sandbox tries, and what is reported, leaves it.

  alias Ambix.{Job, Native}

  @enforce_keys [:id, :parent, :file, :line, :kind, :label, :prior, :size, :within]
  defstruct @enforce_keys ++ [node: nil, judged: false, patient: false]

  @doc "A page of candidates on top of `parent` (nil for the project as it is), and where the next page begins (nil if there is none)."
  def page(repair, parent, from, max, model) do
    options = %{parent: parent, from: from, max: max}

    with {:ok, page} <- Job.run(&Native.repair_page(&1, repair, options, model), nil),
         do: {:ok, Enum.map(page.candidates, &struct!(__MODULE__, &1)), page.next}
  end

  @doc "The candidates that lack one of the steps of this one. They are as patient as it."
  def reductions(repair, %__MODULE__{id: id, patient: patient}) do
    with {:ok, fewer} <- Native.repair_reductions(repair, id),
         do: {:ok, Enum.map(fewer, &struct!(__MODULE__, Map.put(&1, :patient, patient)))}
  end

  @doc "What a sandbox is given to try candidates of one parent: the texts that these share, and what each adds."
  def batch(repair, candidates),
    do: Native.repair_batch(repair, Enum.map(candidates, &{&1.id, &1.within}))

  @doc "As the tree takes it."
  def thought(%__MODULE__{id: id, prior: prior, label: label}),
    do: %{payload: id, prior: prior, label: label}
end
