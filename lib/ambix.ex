defmodule Ambix do
  @external_resource readme = Path.expand("../README.md", __DIR__)
  # The part of the README between the marks; its links lead to files, which documentation has none of.
  @introduction readme
                |> File.read!()
                |> String.split("<!-- MDOC -->")
                |> Enum.at(1, "")
                |> String.replace(~r/\[([^\]]+)\]\([^)]+\)/, "\\1")

  @moduledoc """
  #{String.trim(@introduction)}

  ## In a supervision tree

  Nothing is started by itself. What should live as long as an application goes into its tree:

      children = [
        {Ambix, name: MyApp.Ambix, root: ".", encoder: "all-MiniLM-L6-v2"}
      ]

  The index is opened or built behind it and answers from its words first; vectors and the model follow. `index/1`, `encoder/1`
  and `model/1` give them to any process, and an error of the kind `:unavailable` until they are there.

  #{Ambix.Options.docs(Ambix.Supervisor.options())}

  ## Modules

  `Ambix.Index` and `Ambix.Graph` read and answer, `Ambix.Model` runs models, `Ambix.Fix` mends failing tests in an
  `Ambix.Sandbox` by an `Ambix.Search`, `Ambix.Agent` makes processes of such work, `Ambix.Telemetry` tells what happens.
  All errors are `Ambix.Error`.
  """

  @doc "The version of the library."
  @spec version() :: String.t()
  def version, do: unquote(Mix.Project.config()[:version])

  @doc "A child specification for `{Ambix, name: MyApp.Ambix}`; the options are listed above."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  defdelegate child_spec(opts), to: Ambix.Supervisor

  @doc "The index of the tree `name`."
  @spec index(atom) :: {:ok, Ambix.Index.t()} | {:error, Ambix.Error.t()}
  defdelegate index(name), to: Ambix.Supervisor

  @doc "The model of the tree `name`; with `wait: milliseconds` it is waited for. See `Ambix.Model.fetch/2`."
  @spec model(atom, keyword) :: {:ok, Ambix.Model.t()} | {:error, Ambix.Error.t()}
  defdelegate model(name, opts \\ []), to: Ambix.Supervisor

  @doc "The encoder of the tree `name`; with `wait: milliseconds` it is waited for. See `Ambix.Model.fetch_encoder/2`."
  @spec encoder(atom, keyword) :: {:ok, Ambix.Model.Encoder.t()} | {:error, Ambix.Error.t()}
  defdelegate encoder(name, opts \\ []), to: Ambix.Supervisor

  @doc "Reads the folder of the tree `name` again; returns what changed when that is done."
  @spec refresh(atom, timeout) :: {:ok, map | :opened} | {:error, Ambix.Error.t()}
  defdelegate refresh(name, timeout \\ :infinity), to: Ambix.Index.Server

  @doc "Starts an `Ambix.Agent` under the tree `name`, as `Ambix.Agent.start_link/3` would; it is not restarted when it ends."
  @spec start_agent(atom, module, term, keyword) :: DynamicSupervisor.on_start_child()
  defdelegate start_agent(name, module, argument, opts \\ []), to: Ambix.Supervisor
end
