defmodule Host.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _args) do
    Supervisor.start_link([{Ambix, name: Host.Ambix, root: "lib"}],
      strategy: :one_for_one,
      name: Host.Supervisor
    )
  end
end
