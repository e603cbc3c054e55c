defmodule Ambix.Test.CompiledFixture do
  @moduledoc "A small mix project whose macros make functions, compiled with `Ambix.Tracer`."

  alias Ambix.Test.Command

  @files %{
    "mix.exs" => """
    defmodule Paint.MixProject do
      use Mix.Project
      # The tracer is no part of a dependency here.
      def project, do: [app: :paint, version: "0.1.0", prune_code_paths: false]
    end
    """,
    "lib/maker.ex" => """
    defmodule Paint.Maker do
      defmacro __using__(colours) do
        for colour <- colours do
          quote do
            def unquote(:"#{"\#{colour}"}_pot")(size), do: Paint.Shop.pour(size)
          end
        end
      end

      defmacro twice(x), do: quote(do: unquote(x) * 2)
    end
    """,
    "lib/shop.ex" => """
    defmodule Paint.Shop do
      require Paint.Maker

      def pour(size), do: Paint.Maker.twice(size)
    end
    """,
    "lib/colours.ex" => """
    defmodule Paint.Colours do
      use Paint.Maker, [:red, :green]
    end
    """
  }

  @doc "Writes the project to `folder`, with `more` files, and compiles it."
  def create(folder, more \\ %{}) do
    for {path, text} <- Map.merge(@files, more) do
      path = Path.join(folder, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, text)
    end

    {output, code} = Command.run(["compile", "--force", "--tracer", "Ambix.Tracer"], cd: folder)
    if code != 0, do: ExUnit.Assertions.flunk("it does not compile: #{output}")
    folder
  end
end
