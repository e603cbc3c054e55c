defmodule Ambix.Compat do
  @moduledoc false
  # What newer versions of Elixir have, each with the version from which the clause here can go.

  @doc "Names a process for observers: `Process.set_label/1`, from Elixir 1.17."
  @spec set_label(term) :: :ok
  def set_label(label) do
    if function_exported?(Process, :set_label, 1), do: apply(Process, :set_label, [label])
    :ok
  end

  @doc """
  Lets the logger's own way to the terminal lead to standard error: Elixir 1.14 has one, later versions log by a handler of Erlang.
  """
  @spec log_to_stderr() :: :ok
  def log_to_stderr do
    if :console in Application.get_env(:logger, :backends, []) and
         function_exported?(Logger, :configure_backend, 2),
       do: apply(Logger, :configure_backend, [:console, [device: :standard_error]])

    :ok
  end

  @doc """
  Puts an application of Erlang or Elixir into the code path: from Elixir 1.15 on, Mix takes out of it what is no
  dependency of the project.
  """
  @spec ensure_application(atom) :: :ok
  def ensure_application(app) do
    if function_exported?(Mix, :ensure_application!, 1), do: apply(Mix, :ensure_application!, [app])
    :ok
  end

  @doc "Options with which `Kernel.ParallelCompiler` answers diagnostics as maps, from Elixir 1.15."
  @spec diagnostics_options() :: keyword
  def diagnostics_options,
    do: if(Version.match?(System.version(), ">= 1.15.0-dev"), do: [return_diagnostics: true], else: [])

  @doc """
  Where the compiler found the types that a diagnostic is about, from Elixir 1.18: file, line and what it says of the
  expression there. Empty for other diagnostics and before.
  """
  @spec typing_traces(map) :: [%{file: Path.t(), line: non_neg_integer, message: String.t()}]
  def typing_traces(%{details: %{typing_traces: variables}}) do
    for %{traces: traces} <- variables,
        %{file: file, meta: meta, formatted_expr: expression, formatted_type: type} <- traces do
      message = IO.iodata_to_binary([expression, " has the type ", type])
      %{file: file, line: Keyword.get(meta, :line, 0), message: message}
    end
  end

  def typing_traces(_diagnostic), do: []
end
