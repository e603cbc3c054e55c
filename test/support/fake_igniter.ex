defmodule Ambix.Test.FakeIgniter do
  @moduledoc """
  A stand-in for Igniter, with what its installer asks of a task and a task of it, by the names and shapes of version 0.8: files are
  sources in a map, and nothing is written.
  """

  @modules [Igniter, Igniter.Mix.Task.Info, Igniter.Mix.Task.Args, Rewrite.Source]

  @doc "Defines the modules for as long as the test runs."
  def install do
    Code.compile_quoted(
      quote do
        defmodule Igniter.Mix.Task.Info do
          defstruct schema: [],
                    defaults: [],
                    required: [],
                    aliases: [],
                    group: nil,
                    composes: [],
                    only: nil,
                    dep_opts: [],
                    installs: [],
                    adds_deps: [],
                    positional: [],
                    example: nil,
                    extra_args?: false,
                    flag_conflicts: %{},
                    alias_conflicts: %{}
        end

        defmodule Igniter.Mix.Task.Args do
          defstruct positional: %{}, options: [], argv_flags: [], argv: []
        end

        defmodule Rewrite.Source do
          defstruct [:path, :content]
          def get(%__MODULE__{} = source, :content), do: source.content
          def update(%__MODULE__{} = source, :content, content), do: %{source | content: content}
        end

        defmodule Igniter do
          defstruct args: nil, files: %{}, issues: [], warnings: [], notices: []

          def add_issue(igniter, issue), do: %{igniter | issues: [issue | igniter.issues]}
          def add_warning(igniter, warning), do: %{igniter | warnings: [warning | igniter.warnings]}
          def add_notice(igniter, notice), do: %{igniter | notices: [notice | igniter.notices]}

          def create_or_update_file(igniter, path, contents, updater) do
            case igniter.files do
              %{^path => before} ->
                case updater.(struct!(Rewrite.Source, path: path, content: before)) do
                  {:warning, warning} -> add_warning(igniter, warning)
                  %{content: content} -> put_in(igniter.files[path], content)
                end

              _ ->
                put_in(igniter.files[path], contents)
            end
          end
        end
      end
    )

    ExUnit.Callbacks.on_exit(fn ->
      for module <- @modules do
        :code.purge(module)
        :code.delete(module)
      end
    end)
  end

  @doc "Runs a task as the installer of Igniter does, in a project with these files."
  def run(task, argv, files) do
    %{__struct__: Igniter.Mix.Task.Args} = args = task.parse_argv(argv)
    true = function_exported?(task, :run, 1) and not task.supports_umbrella?()
    task.igniter(struct!(Igniter, args: args, files: files))
  end
end
