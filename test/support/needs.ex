defmodule Ambix.Test.Needs do
  @moduledoc "What tests need of a machine: the value of their tag `:skip`, nil where it is there."

  @doc "A model of the catalogue that was pulled, or the sentence that says how to."
  def model(name) do
    case Ambix.Models.path(name) do
      {:ok, _path} -> nil
      {:error, error} -> error.message
    end
  end

  @doc "All of these models."
  def models(names), do: Enum.find_value(names, &model/1)

  @doc "Sandboxes."
  def sandbox do
    case Ambix.Sandbox.check() do
      :ok -> nil
      {:error, error} -> error.message
    end
  end

  @doc "Control groups; of version 2 where that is given."
  def control_group(version \\ nil) do
    case Ambix.Sandbox.Cgroup.create(Ambix.Sandbox.Scratch.name(), 1_073_741_824) do
      nil -> "no control group may be made: systemd-run --user --scope mix test"
      group -> with :ok <- Ambix.Sandbox.Cgroup.delete(group), do: other_version(group.version, version)
    end
  end

  defp other_version(found, wanted) when wanted in [nil, found], do: nil
  defp other_version(found, wanted), do: "control groups are of version #{found} here, not #{wanted}"
end
