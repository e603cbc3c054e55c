defmodule Host.MixProject do
  use Mix.Project

  def project do
    [app: :host, version: "1.0.0", elixir: "~> 1.14", deps: deps()]
  end

  def application do
    [extra_applications: [:logger], mod: {Host.Application, []}]
  end

  # Aludel comes first, so it is compiled before the others: what is optional it has to find when it runs.
  defp deps do
    [{:aludel, path: System.fetch_env!("HOST_ALUDEL_PATH")}] ++
      for name <- String.split(System.get_env("HOST_FAKES", "")) do
        {String.to_atom(name), path: "fakes/" <> name}
      end
  end
end
